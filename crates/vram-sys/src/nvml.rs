//! Functions of NVIDIA's management library that the crate `nvml-wrapper` doesn't have, or whose answers it believes
//! without looking.

use core::ffi::{CStr, c_uint, c_void};
use core::fmt;
use std::ffi::OsStr;

use libloading::Library;

/// `nvmlReturn_t`.
type Return = c_uint;
/// `nvmlDevice_t`: the library's own pointer.
type Device = *mut c_void;

const SUCCESS: Return = 0;

type Start = unsafe extern "C" fn() -> Return;
type FindByUuid =
    unsafe extern "C" fn(uuid: *const core::ffi::c_char, device: *mut Device) -> Return;
type GetRemappedRows = unsafe extern "C" fn(
    device: Device,
    corrected: *mut c_uint,
    uncorrected: *mut c_uint,
    pending: *mut c_uint,
    failed: *mut c_uint,
) -> Return;
type GetC2cMode = unsafe extern "C" fn(device: Device, mode: *mut C2cMode) -> Return;
type GetReport = unsafe extern "C" fn(device: Device, report: *mut GpuReport) -> Return;
type GetCertificate =
    unsafe extern "C" fn(device: Device, certificate: *mut GpuCertificate) -> Return;

/// `nvmlC2cModeInfo_v1_t`.
#[repr(C)]
#[derive(Default)]
struct C2cMode {
    enabled: c_uint,
}

/// `nvmlConfComputeGpuAttestationReport_t`.
#[repr(C)]
struct GpuReport {
    has_cec_report: c_uint,
    report_size: c_uint,
    cec_report_size: c_uint,
    nonce: [u8; 32],
    /// `NVML_CC_GPU_ATTESTATION_REPORT_SIZE`.
    report: [u8; 8192],
    /// `NVML_CC_GPU_CEC_ATTESTATION_REPORT_SIZE`.
    cec_report: [u8; 4096],
}

/// `nvmlConfComputeGpuCertificate_t`.
#[repr(C)]
struct GpuCertificate {
    chain_size: c_uint,
    attestation_chain_size: c_uint,
    /// `NVML_GPU_CERT_CHAIN_SIZE`.
    chain: [u8; 4096],
    /// `NVML_GPU_ATTESTATION_CERT_CHAIN_SIZE`.
    attestation_chain: [u8; 5120],
}

/// What of a card's memory has been replaced by spare rows, as `nvmlDeviceGetRemappedRows` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemappedRows {
    /// Rows remapped after errors that ECC corrected.
    pub corrected: u32,
    /// Rows remapped after errors that it could not correct.
    pub uncorrected: u32,
    /// A remapping waits for a reset.
    pub pending: bool,
    /// A remapping failed.
    pub failed: bool,
}

/// Why the management library gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NvmlError {
    /// The library couldn't be loaded.
    #[error("NVIDIA's management library could not be loaded: {reason}")]
    Library {
        /// What the linker said.
        reason: String,
    },
    /// The library is older than the function.
    #[error("this management library has no function {function}: update the driver")]
    FunctionMissing {
        /// The function.
        function: &'static str,
    },
    /// The function answered with an error.
    #[error("{function} answered {code}")]
    Refused {
        /// The function.
        function: &'static str,
        /// Its answer, an `nvmlReturn_t`.
        code: u32,
    },
    /// The function answered with a size that there is no room for, or with nothing.
    #[error("{function} says that {what} takes {size} bytes, where 1 to {limit} are possible")]
    Size {
        /// The function.
        function: &'static str,
        /// What the size is of.
        what: &'static str,
        /// The size that it gave.
        size: u32,
        /// The room that there is.
        limit: usize,
    },
}

/// The management library, loaded and started.
///
/// Beside `nvml-wrapper`, which loads the same library for itself: the linker gives both the one that is
/// there, and the library counts who has started it.
pub struct Nvml {
    shutdown: Option<Start>,
    find: FindByUuid,
    remapped_rows: Option<GetRemappedRows>,
    c2c_mode: Option<GetC2cMode>,
    report: Option<GetReport>,
    certificate: Option<GetCertificate>,
    /// Keeps the functions callable.
    _library: Library,
}

impl Nvml {
    /// Loads the library, as the dynamic linker finds it under this name or path, and starts it
    /// (`nvmlInit_v2`).
    ///
    /// # Errors
    ///
    /// [`NvmlError`]: no such library, another library of that name, or one that doesn't start.
    pub fn load(path: &OsStr) -> Result<Self, NvmlError> {
        // SAFETY: loading the management library runs its initialisers, which have no preconditions. Who
        // may place a library of this name on the search path may run code in this process anyway.
        let library = unsafe { Library::new(path) }.map_err(|error| NvmlError::Library {
            reason: error.to_string(),
        })?;
        // SAFETY: the library's header gives `nvmlInit_v2` this type.
        let start: Start =
            unsafe { function(&library, c"nvmlInit_v2") }.ok_or(NvmlError::FunctionMissing {
                function: "nvmlInit_v2",
            })?;
        // SAFETY: the header gives `nvmlShutdown` this type.
        let shutdown: Option<Start> = unsafe { function(&library, c"nvmlShutdown") };
        // SAFETY: the header gives `nvmlDeviceGetHandleByUUID` this type.
        let find: FindByUuid = unsafe { function(&library, c"nvmlDeviceGetHandleByUUID") }.ok_or(
            NvmlError::FunctionMissing {
                function: "nvmlDeviceGetHandleByUUID",
            },
        )?;
        // SAFETY: the header gives `nvmlDeviceGetRemappedRows` this type.
        let remapped_rows = unsafe { function(&library, c"nvmlDeviceGetRemappedRows") };
        // SAFETY: the header gives `nvmlDeviceGetC2cModeInfoV` this type.
        let c2c_mode = unsafe { function(&library, c"nvmlDeviceGetC2cModeInfoV") };
        // SAFETY: the header gives `nvmlDeviceGetConfComputeGpuAttestationReport` this type.
        let report = unsafe { function(&library, c"nvmlDeviceGetConfComputeGpuAttestationReport") };
        // SAFETY: the header gives `nvmlDeviceGetConfComputeGpuCertificate` this type.
        let certificate = unsafe { function(&library, c"nvmlDeviceGetConfComputeGpuCertificate") };
        // SAFETY: nvmlInit_v2 takes nothing and may be called from any thread, any number of times.
        answered("nvmlInit_v2", unsafe { start() })?;
        Ok(Self {
            shutdown,
            find,
            remapped_rows,
            c2c_mode,
            report,
            certificate,
            _library: library,
        })
    }

    /// Rows of the card's memory that were replaced (`nvmlDeviceGetRemappedRows`), of the card with this
    /// UUID (`GPU-…`).
    ///
    /// # Errors
    ///
    /// [`NvmlError`]; cards without row remapping answer `NVML_ERROR_NOT_SUPPORTED` (3).
    pub fn remapped_rows(&self, uuid: &CStr) -> Result<RemappedRows, NvmlError> {
        let name = "nvmlDeviceGetRemappedRows";
        let get = self
            .remapped_rows
            .ok_or(NvmlError::FunctionMissing { function: name })?;
        let device = self.device(uuid)?;
        let (mut corrected, mut uncorrected, mut pending, mut failed) = (0, 0, 0, 0);
        // SAFETY: the device is the library's own handle of this moment, and the library writes four
        // unsigned ints.
        let code = unsafe {
            get(
                device,
                &raw mut corrected,
                &raw mut uncorrected,
                &raw mut pending,
                &raw mut failed,
            )
        };
        answered(name, code)?;
        Ok(RemappedRows {
            corrected,
            uncorrected,
            pending: pending != 0,
            failed: failed != 0,
        })
    }

    /// Whether the card with this UUID has a chip-to-chip link to the processor, and it is on
    /// (`nvmlDeviceGetC2cModeInfoV`).
    ///
    /// # Errors
    ///
    /// [`NvmlError`].
    pub fn chip_to_chip(&self, uuid: &CStr) -> Result<bool, NvmlError> {
        let name = "nvmlDeviceGetC2cModeInfoV";
        let get = self
            .c2c_mode
            .ok_or(NvmlError::FunctionMissing { function: name })?;
        let device = self.device(uuid)?;
        let mut mode = C2cMode::default();
        // SAFETY: the device is the library's own handle of this moment, and the library writes one
        // nvmlC2cModeInfo_v1_t.
        let code = unsafe { get(device, &raw mut mode) };
        answered(name, code)?;
        Ok(mode.enabled != 0)
    }

    /// The report that the card with this UUID signs over this nonce
    /// (`nvmlDeviceGetConfComputeGpuAttestationReport`): 1 to 8192 bytes, in the form of the card's maker.
    ///
    /// # Errors
    ///
    /// [`NvmlError`]; outside confidential computing cards answer `NVML_ERROR_NOT_SUPPORTED` (3).
    pub fn attestation_report(&self, uuid: &CStr, nonce: &[u8; 32]) -> Result<Vec<u8>, NvmlError> {
        let name = "nvmlDeviceGetConfComputeGpuAttestationReport";
        let get = self
            .report
            .ok_or(NvmlError::FunctionMissing { function: name })?;
        let device = self.device(uuid)?;
        let mut report = Box::new(GpuReport {
            has_cec_report: 0,
            report_size: 0,
            cec_report_size: 0,
            nonce: *nonce,
            report: [0; 8192],
            cec_report: [0; 4096],
        });
        // SAFETY: the device is the library's own handle of this moment, and the library reads and writes one
        // nvmlConfComputeGpuAttestationReport_t.
        let code = unsafe { get(device, &raw mut *report) };
        answered(name, code)?;
        sized(name, "the report", &report.report, report.report_size)
    }

    /// The certificates of the key that signs the reports of the card with this UUID
    /// (`nvmlDeviceGetConfComputeGpuCertificate`): 1 to 5120 bytes, in the form of the card's maker.
    ///
    /// # Errors
    ///
    /// As [`attestation_report`](Self::attestation_report).
    pub fn attestation_certificates(&self, uuid: &CStr) -> Result<Vec<u8>, NvmlError> {
        let name = "nvmlDeviceGetConfComputeGpuCertificate";
        let get = self
            .certificate
            .ok_or(NvmlError::FunctionMissing { function: name })?;
        let device = self.device(uuid)?;
        let mut certificate = Box::new(GpuCertificate {
            chain_size: 0,
            attestation_chain_size: 0,
            chain: [0; 4096],
            attestation_chain: [0; 5120],
        });
        // SAFETY: the device is the library's own handle of this moment, and the library writes one
        // nvmlConfComputeGpuCertificate_t.
        let code = unsafe { get(device, &raw mut *certificate) };
        answered(name, code)?;
        let size = certificate.attestation_chain_size;
        sized(
            name,
            "the certificates",
            &certificate.attestation_chain,
            size,
        )
    }

    fn device(&self, uuid: &CStr) -> Result<Device, NvmlError> {
        let mut device = core::ptr::null_mut();
        // SAFETY: the library reads a text that ends with a NUL, and writes one handle.
        let code = unsafe { (self.find)(uuid.as_ptr(), &raw mut device) };
        answered("nvmlDeviceGetHandleByUUID", code)?;
        Ok(device)
    }
}

impl Drop for Nvml {
    fn drop(&mut self) {
        if let Some(shutdown) = self.shutdown {
            // SAFETY: the library was started, and is stopped once. What it answers changes nothing.
            let _answer: Return = unsafe { shutdown() };
        }
    }
}

impl fmt::Debug for Nvml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nvml").finish_non_exhaustive()
    }
}

/// A function of the library.
///
/// # Safety
///
/// `F` is the type of the function pointer that the library's header declares under the name.
unsafe fn function<F: Copy>(library: &Library, name: &CStr) -> Option<F> {
    // SAFETY: the type is right, as the caller vouches; who calls the function keeps the library.
    let symbol = unsafe { library.get::<F>(name) }.ok()?;
    Some(*symbol)
}

fn answered(function: &'static str, code: Return) -> Result<(), NvmlError> {
    if code == SUCCESS {
        Ok(())
    } else {
        Err(NvmlError::Refused { function, code })
    }
}

/// As many bytes of a field as the library says are in it. It is not believed where that can't be.
fn sized(
    function: &'static str,
    what: &'static str,
    field: &[u8],
    size: c_uint,
) -> Result<Vec<u8>, NvmlError> {
    let filled = usize::try_from(size)
        .ok()
        .and_then(|size| field.get(..size));
    match filled {
        Some(bytes) if !bytes.is_empty() => Ok(bytes.to_vec()),
        _ => Err(NvmlError::Size {
            function,
            what,
            size,
            limit: field.len(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_believed_only_where_there_is_room_for_it() {
        let sized = |size| sized("f", "it", &[7; 4], size);

        assert_eq!(sized(1), Ok(vec![7]));
        assert_eq!(sized(4), Ok(vec![7; 4]));
        for size in [0, 5, u32::MAX] {
            let refused = sized(size).unwrap_err();
            assert!(
                matches!(refused, NvmlError::Size { size: found, limit: 4, .. } if found == size),
                "{refused}"
            );
        }
    }

    /// As in the library's header.
    #[test]
    fn structures_have_the_librarys_sizes() {
        assert_eq!(size_of::<GpuReport>(), 3 * 4 + 32 + 8192 + 4096);
        assert_eq!(size_of::<GpuCertificate>(), 2 * 4 + 4096 + 5120);
    }

    #[test]
    fn a_library_that_is_not_there_is_an_error() {
        let refused = Nvml::load(OsStr::new("/nonexistent/libnvidia-ml.so.1")).unwrap_err();

        assert!(matches!(refused, NvmlError::Library { .. }), "{refused}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn another_library_is_not_taken_for_it() {
        let refused = Nvml::load(OsStr::new("libc.so.6")).unwrap_err();

        let function = "nvmlInit_v2";
        assert_eq!(refused, NvmlError::FunctionMissing { function });
    }
}
