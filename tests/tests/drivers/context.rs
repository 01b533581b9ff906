//! Opening the device.

use vram_alloc::Error;
use vram_sys::Origin;

use crate::subject::platforms;

/// Covers: TS-1.2.
#[test]
fn a_device_opens_and_says_what_it_is() {
    for subject in platforms().iter() {
        let properties = subject.device.properties();

        assert_eq!(properties.index, 0);
        assert!(!properties.name.is_empty());
        assert_ne!(properties.uuid, [0; 16]);
        assert!(properties.uuid_string().starts_with("GPU-"));
        assert!(properties.compute_capability >= (7, 0));
        assert!(properties.multiprocessors > 0);
        assert!(properties.driver_version >= 12_000);
        assert!(properties.total_memory.0 > 0);
        assert_eq!(properties.simulated, subject.platform.is_simulated());
        assert_eq!(
            properties.simulated,
            subject.driver.origin() == Origin::Simulated
        );
        let listed = subject.platform.devices().unwrap();
        assert_eq!(listed.first(), Some(properties));
    }
}

/// Covers: FN-4.4.
#[test]
fn a_device_that_does_not_exist_is_refused_with_those_that_do() {
    for subject in platforms().iter() {
        let devices = subject.platform.devices().unwrap();
        for index in [devices.len(), usize::MAX] {
            let error = subject.platform.open(index).unwrap_err();
            let Error::NoSuchDevice { available, .. } = &error else {
                panic!("{error}");
            };
            let names = devices.iter().map(|device| &device.name);
            assert!(available.iter().eq(names));
        }
    }
}

#[test]
fn a_device_can_be_opened_again_and_again() {
    for subject in platforms().iter() {
        for _ in 0..3 {
            let again = subject.platform.open(0).unwrap();
            assert!(!again.is_same(&subject.device));
            assert_eq!(again.properties(), subject.device.properties());
            again.synchronize().unwrap();
        }
        subject.device.synchronize().unwrap();
        assert!(!subject.device.is_lost());
        assert_eq!(subject.device.release_failures(), 0);
    }
}

#[test]
fn the_device_is_used_from_a_thread_that_never_saw_it() {
    for subject in platforms().iter() {
        let device = subject.device.clone();
        let memory = std::thread::spawn(move || device.memory().unwrap());
        let memory = memory.join().unwrap();
        assert!(memory.free <= memory.total);
        assert!(memory.total.0 > 0);
    }
}
