//! Faults on demand, and the record of calls that tells where to put them.

use std::collections::HashMap;

use vram_sys::{CUresult, Function};

/// One call of a driver function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Call {
    /// The function.
    pub function: Function,
    /// Which of that function's calls since the record was begun it was, from 1.
    pub ordinal: u64,
}

/// A fault that is waiting for its call.
#[derive(Clone, Copy, Debug)]
struct Fault {
    /// `None` for a call of any function.
    function: Option<Function>,
    /// Calls until it strikes.
    remaining: u64,
    code: CUresult,
    always: bool,
}

/// Which calls fail, and which there were.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    faults: Vec<Fault>,
    counts: HashMap<Function, u64>,
    record: Option<Record>,
}

#[derive(Debug, Default)]
struct Record {
    calls: Vec<Call>,
    counts: HashMap<Function, u64>,
}

impl Faults {
    pub(crate) fn fail_nth(&mut self, function: Option<Function>, nth: u64, code: CUresult) {
        self.faults.push(Fault {
            function,
            remaining: nth.max(1),
            code,
            always: false,
        });
    }

    pub(crate) fn fail_always(&mut self, function: Option<Function>, code: CUresult) {
        self.faults.push(Fault {
            function,
            remaining: 1,
            code,
            always: true,
        });
    }

    pub(crate) fn clear(&mut self) {
        self.faults.clear();
    }

    pub(crate) fn pending(&self) -> usize {
        self.faults.len()
    }

    pub(crate) fn calls(&self, function: Function) -> u64 {
        self.counts.get(&function).copied().unwrap_or_default()
    }

    pub(crate) fn begin_record(&mut self) {
        self.record = Some(Record::default());
    }

    pub(crate) fn recorded(&self) -> Vec<Call> {
        self.record
            .as_ref()
            .map(|record| record.calls.clone())
            .unwrap_or_default()
    }

    pub(crate) fn end_record(&mut self) -> Vec<Call> {
        self.record
            .take()
            .map(|record| record.calls)
            .unwrap_or_default()
    }

    /// Counts a call, and says with which code it must fail. Of several faults that strike at once
    /// the first given one decides; the others have struck too.
    pub(crate) fn on_call(&mut self, function: Function) -> Option<CUresult> {
        let count = self.counts.entry(function).or_default();
        *count = count.saturating_add(1);
        if let Some(record) = &mut self.record {
            let ordinal = record.counts.entry(function).or_default();
            *ordinal = ordinal.saturating_add(1);
            record.calls.push(Call {
                function,
                ordinal: *ordinal,
            });
        }
        let mut struck = None;
        self.faults.retain_mut(|fault| {
            if fault.function.is_some_and(|wanted| wanted != function) {
                return true;
            }
            if !fault.always {
                fault.remaining = fault.remaining.saturating_sub(1);
                if fault.remaining > 0 {
                    return true;
                }
            }
            struck.get_or_insert(fault.code);
            fault.always
        });
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OOM: CUresult = CUresult::CUDA_ERROR_OUT_OF_MEMORY;

    #[test]
    fn the_nth_call_of_one_function_fails_once() {
        let mut faults = Faults::default();
        faults.fail_nth(Some(Function::cuMemMap), 2, OOM);

        assert_eq!(faults.on_call(Function::cuMemMap), None);
        assert_eq!(faults.on_call(Function::cuMemUnmap), None);
        assert_eq!(faults.pending(), 1);
        assert_eq!(faults.on_call(Function::cuMemMap), Some(OOM));
        assert_eq!(faults.on_call(Function::cuMemMap), None);
        assert_eq!(faults.pending(), 0);
    }

    #[test]
    fn the_nth_call_of_all_counts_every_function() {
        let mut faults = Faults::default();
        faults.fail_nth(None, 3, OOM);

        assert_eq!(faults.on_call(Function::cuInit), None);
        assert_eq!(faults.on_call(Function::cuMemMap), None);
        assert_eq!(faults.on_call(Function::cuMemUnmap), Some(OOM));
        assert_eq!(faults.on_call(Function::cuMemUnmap), None);
    }

    #[test]
    fn always_lasts_until_cleared() {
        let mut faults = Faults::default();
        faults.fail_always(Some(Function::cuInit), OOM);
        assert_eq!(faults.on_call(Function::cuInit), Some(OOM));
        assert_eq!(faults.on_call(Function::cuInit), Some(OOM));
        faults.clear();
        assert_eq!(faults.on_call(Function::cuInit), None);
    }

    #[test]
    fn a_record_numbers_the_calls_of_each_function_from_its_beginning() {
        let mut faults = Faults::default();
        faults.on_call(Function::cuMemMap);
        faults.begin_record();
        for function in [Function::cuMemMap, Function::cuInit, Function::cuMemMap] {
            faults.on_call(function);
        }

        let call = |function, ordinal| Call { function, ordinal };
        let expected = [
            call(Function::cuMemMap, 1),
            call(Function::cuInit, 1),
            call(Function::cuMemMap, 2),
        ];
        assert_eq!(faults.recorded(), expected);
        assert_eq!(faults.end_record(), expected);
        assert_eq!(faults.recorded(), []);
        assert_eq!(faults.calls(Function::cuMemMap), 3);
    }
}
