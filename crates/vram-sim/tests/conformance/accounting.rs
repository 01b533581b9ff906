use proptest::collection::vec;
use proptest::prelude::*;
use vram_sim::DeviceModel;

use crate::rig::*;

/// Pages of the device.
const TOTAL: usize = 16;

/// A step of a random program. Numbers choose among what lives.
#[derive(Clone, Copy, Debug)]
enum Step {
    Create(usize),
    Map(usize),
    Unmap(usize),
    Release(usize),
    Alloc(usize),
    Free(usize),
    OtherUse(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..6_usize).prop_map(Step::Create),
        any::<usize>().prop_map(Step::Map),
        any::<usize>().prop_map(Step::Unmap),
        any::<usize>().prop_map(Step::Release),
        (1..4 * PAGE).prop_map(Step::Alloc),
        any::<usize>().prop_map(Step::Free),
        (0..8_usize).prop_map(Step::OtherUse),
    ]
}

/// What a program knows of an allocation of `cuMemCreate`.
#[derive(Debug)]
struct Physical {
    handle: Option<u64>,
    pages: usize,
    mapped: Vec<u64>,
}

/// What a program knows of everything that it holds.
#[derive(Debug, Default)]
struct Model {
    physical: Vec<Physical>,
    /// Address and pages.
    plain: Vec<(u64, usize)>,
    /// Pages that others use.
    other: usize,
}

impl Model {
    fn held(&self) -> usize {
        self.physical.iter().map(|one| one.pages).sum::<usize>()
            + self.plain.iter().map(|one| one.1).sum::<usize>()
    }

    fn left(&self) -> usize {
        (TOTAL - self.held()).saturating_sub(self.other)
    }

    fn mapped(&self) -> usize {
        self.physical.iter().map(|one| one.mapped.len()).sum()
    }

    /// Does a step on the machine and here; whether it came out as it must.
    fn step(&mut self, rig: &Rig, step: Step) -> bool {
        match step {
            Step::Create(pages) => {
                let left = self.left();
                let created = rig.create(pages * PAGE);
                if let Ok(handle) = created {
                    let mapped = Vec::new();
                    self.physical.push(Physical {
                        handle: Some(handle),
                        pages,
                        mapped,
                    });
                }
                created.is_ok() == (pages <= left)
            }
            Step::Map(chosen) if !self.physical.is_empty() => {
                let chosen = chosen % self.physical.len();
                let one = &mut self.physical[chosen];
                let Some(handle) = one.handle else {
                    return true;
                };
                let address = rig.reserve(one.pages * PAGE).unwrap();
                rig.map(address, one.pages * PAGE, handle).unwrap();
                one.mapped.push(address);
                true
            }
            Step::Unmap(chosen) if !self.physical.is_empty() => {
                let chosen = chosen % self.physical.len();
                let one = &mut self.physical[chosen];
                if let Some(address) = one.mapped.pop() {
                    rig.unmap(address, one.pages * PAGE).unwrap();
                    rig.unreserve(address, one.pages * PAGE).unwrap();
                }
                self.forget_unused();
                true
            }
            Step::Release(chosen) if !self.physical.is_empty() => {
                let chosen = chosen % self.physical.len();
                if let Some(handle) = self.physical[chosen].handle.take() {
                    rig.release(handle).unwrap();
                }
                self.forget_unused();
                true
            }
            Step::Alloc(bytes) => {
                let (left, pages) = (self.left(), bytes.div_ceil(PAGE));
                let allocated = rig.alloc(bytes);
                if let Ok(address) = allocated {
                    self.plain.push((address, pages));
                }
                allocated.is_ok() == (pages <= left)
            }
            Step::Free(chosen) if !self.plain.is_empty() => {
                let (address, _) = self.plain.remove(chosen % self.plain.len());
                rig.free(address).is_ok()
            }
            Step::OtherUse(pages) => {
                rig.machine.set_other_use(0, (pages * PAGE) as u64).unwrap();
                self.other = pages;
                true
            }
            _ => true,
        }
    }

    fn forget_unused(&mut self) {
        self.physical
            .retain(|one| one.handle.is_some() || !one.mapped.is_empty());
    }
}

proptest! {
    /// Free memory is the total less what lives and what others use, whatever happened before.
    #[test]
    fn free_memory_is_what_is_left(steps in vec(step(), 1..60)) {
        let rig = Rig::of(DeviceModel::small((TOTAL * PAGE) as u64));
        let mut model = Model::default();
        for step in steps {
            prop_assert!(model.step(&rig, step), "{step:?}");

            prop_assert_eq!(rig.info(), Ok((model.left() * PAGE, TOTAL * PAGE)));
            let in_use = rig.machine.bytes_in_use(0).unwrap();
            prop_assert_eq!(in_use, (model.held() * PAGE) as u64);
            let live = rig.machine.live();
            prop_assert_eq!(live.physical_allocations, model.physical.len());
            prop_assert_eq!(live.plain_allocations, model.plain.len());
            prop_assert_eq!((live.mappings, live.reservations), (model.mapped(), model.mapped()));
        }
        prop_assert!(rig.machine.bugs().is_empty());
    }
}
