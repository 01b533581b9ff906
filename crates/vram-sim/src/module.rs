//! Modules: PTX that the program loads, and the kernels found in it by name.

use core::ffi::CStr;

use vram_kernels::{Kernel, THREADS_PER_BLOCK};
use vram_sys::{CUfunction_attribute, CUresult};

use crate::answer::Answer;
use crate::handle::Handle;
use crate::state::State;

/// A loaded module.
#[derive(Debug)]
pub(crate) struct Module {
    device: usize,
    kernels: Vec<Kernel>,
    /// The version that the PTX declares, as 10 × major + minor.
    ptx_version: i32,
}

/// A kernel of a loaded module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Function {
    module: Handle,
    kernel: Kernel,
}

impl Module {
    pub(crate) const fn device(&self) -> usize {
        self.device
    }
}

impl Function {
    pub(crate) const fn module(&self) -> Handle {
        self.module
    }

    pub(crate) const fn kernel(&self) -> Kernel {
        self.kernel
    }
}

/// What the simulated driver reads of a PTX text: that it is one, and which known kernels it has.
#[derive(Debug, PartialEq, Eq)]
struct Ptx {
    version: i32,
    /// 10 × major + minor compute capability.
    target: i32,
    kernels: Vec<Kernel>,
}

impl Ptx {
    fn parse(image: &CStr) -> Answer<Self> {
        let invalid = CUresult::CUDA_ERROR_INVALID_PTX;
        let text = image.to_str().map_err(|_| invalid)?;
        let words = || text.split_whitespace();
        let after = |directive: &str| words().skip_while(|word| *word != directive).nth(1);
        let version = after(".version").and_then(|word| {
            let (major, minor) = word.split_once('.')?;
            let (major, minor) = (major.parse::<i32>().ok()?, minor.parse::<i32>().ok()?);
            major.checked_mul(10)?.checked_add(minor)
        });
        let target = after(".target")
            .and_then(|word| word.trim_end_matches(',').strip_prefix("sm_")?.parse().ok());
        let mut entries = Vec::new();
        let mut rest = words();
        while let Some(word) = rest.next() {
            if word == ".entry" {
                entries.extend(rest.next().and_then(|name| name.split('(').next()));
            }
        }
        let has = |kernel: &Kernel| {
            let name = kernel.name().to_str();
            name.is_ok_and(|name| entries.contains(&name))
        };
        let kernels: Vec<Kernel> = Kernel::ALL.into_iter().filter(has).collect();
        match (version, target) {
            (Some(version), Some(target)) if !kernels.is_empty() => Ok(Self {
                version,
                target,
                kernels,
            }),
            _ => Err(invalid),
        }
    }
}

impl State {
    /// `cuModuleLoadDataEx`: PTX text with an `.entry` of a known kernel's name; nothing else can
    /// be run here, and is `CUDA_ERROR_INVALID_PTX`.
    pub(crate) fn load_module(&mut self, image: &CStr) -> Answer<Handle> {
        let index = self.current()?;
        let ptx = Ptx::parse(image)?;
        let (major, minor) = self.device(index)?.compute_capability();
        if ptx.target > major.saturating_mul(10).saturating_add(minor) {
            return Err(CUresult::CUDA_ERROR_NO_BINARY_FOR_GPU);
        }
        let handle = Handle::fresh();
        let module = Module {
            device: index,
            kernels: ptx.kernels,
            ptx_version: ptx.version,
        };
        self.modules.insert(handle, module);
        Ok(handle)
    }

    fn module(&self, handle: Handle) -> Answer<&Module> {
        let index = self.current()?;
        self.modules
            .get(&handle)
            .filter(|module| module.device == index)
            .ok_or(CUresult::CUDA_ERROR_INVALID_HANDLE)
    }

    /// `cuModuleUnload`: launches of its kernels that are queued are done first.
    pub(crate) fn unload_module(&mut self, handle: Handle) -> Answer {
        let index = self.module(handle)?.device;
        self.synchronize_device(index)?;
        self.modules.remove(&handle);
        self.functions
            .retain(|_, function| function.module != handle);
        Ok(())
    }

    /// `cuModuleGetFunction`: the same handle each time.
    pub(crate) fn find_function(&mut self, module: Handle, name: &CStr) -> Answer<Handle> {
        let kernel = self
            .module(module)?
            .kernels
            .iter()
            .copied()
            .find(|kernel| kernel.name() == name)
            .ok_or(CUresult::CUDA_ERROR_NOT_FOUND)?;
        let known = self
            .functions
            .iter()
            .find(|(_, function)| function.module == module && function.kernel == kernel)
            .map(|(&handle, _)| handle);
        Ok(known.unwrap_or_else(|| {
            let handle = Handle::fresh();
            self.functions.insert(handle, Function { module, kernel });
            handle
        }))
    }

    /// A kernel of a module that is loaded in the current context.
    pub(crate) fn function(&self, handle: Handle) -> Answer<Function> {
        let index = self.current()?;
        self.functions
            .get(&handle)
            .filter(|function| {
                self.modules
                    .get(&function.module)
                    .is_some_and(|module| module.device == index)
            })
            .copied()
            .ok_or(CUresult::CUDA_ERROR_INVALID_HANDLE)
    }

    /// `cuFuncGetAttribute`, for kernels compiled for 128 threads a block and 8 blocks a
    /// multiprocessor.
    pub(crate) fn function_attribute(
        &self,
        handle: Handle,
        attribute: CUfunction_attribute,
    ) -> Answer<i32> {
        let function = self.function(handle)?;
        let module = self.module(function.module)?;
        let (major, minor) = self.device(module.device)?.compute_capability();
        match attribute {
            CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK => {
                i32::try_from(THREADS_PER_BLOCK).map_err(|_| CUresult::CUDA_ERROR_INVALID_VALUE)
            }
            CUfunction_attribute::CU_FUNC_ATTRIBUTE_NUM_REGS => Ok(64),
            CUfunction_attribute::CU_FUNC_ATTRIBUTE_PTX_VERSION => Ok(module.ptx_version),
            CUfunction_attribute::CU_FUNC_ATTRIBUTE_BINARY_VERSION => {
                Ok(major.saturating_mul(10).saturating_add(minor))
            }
            known if known.0 < CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX.0 => Ok(0),
            _ => Err(CUresult::CUDA_ERROR_INVALID_VALUE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ptx_of_the_kernels_is_understood() {
        for image in [vram_kernels::PTX, vram_kernels::PROBES_PTX] {
            let ptx = Ptx::parse(image).unwrap();
            let within = Kernel::ALL
                .into_iter()
                .filter(|kernel| kernel.ptx() == image);
            assert_eq!(
                ptx,
                Ptx {
                    version: 70,
                    target: 75,
                    kernels: within.collect()
                }
            );
        }
    }

    #[test]
    fn text_without_a_known_kernel_or_without_directives_is_not_ptx() {
        for text in [
            c"",
            c"hello",
            c"\x7fELF",
            c".version 7.0\n.target sm_75\n",
            c".version 7.0\n.target sm_75\n.visible .entry another(\n)",
            c".version 7.0\n.target sm_75\n// vram_sha256_blocks(",
            c".visible .entry vram_sha256_blocks(",
        ] {
            assert_eq!(
                Ptx::parse(text),
                Err(CUresult::CUDA_ERROR_INVALID_PTX),
                "{text:?}"
            );
        }
    }
}
