//! NVIDIA's management library, loaded at run time.

use std::ffi::{CString, OsStr, OsString};
use std::sync::OnceLock;

use nvml_wrapper::bitmasks::InitFlags;
use nvml_wrapper::error::NvmlError;
use vram_sys::NvmlError as SupplementError;

use self::card::NvmlCard;
use crate::ManagementFunction as Function;
use crate::management::{ManagedCard, Management};
use crate::{Answer, Error};

mod card;

/// What the library is called.
const LIBRARY: &str = if cfg!(windows) {
    "nvml.dll"
} else {
    "libnvidia-ml.so.1"
};

/// NVIDIA's management library (NVML), through the crate `nvml-wrapper`.
///
/// It is loaded when it is first asked; a machine that doesn't have it can be asked again later. Once
/// loaded, it stays for as long as this lives.
#[derive(Debug)]
pub struct ManagementLibrary {
    path: OsString,
    loaded: OnceLock<nvml_wrapper::Nvml>,
    /// What `nvml-wrapper` has no safe functions for.
    supplement: OnceLock<vram_sys::Nvml>,
}

impl Default for ManagementLibrary {
    fn default() -> Self {
        Self::new()
    }
}

impl ManagementLibrary {
    /// The library of this machine's driver, where the dynamic linker finds it.
    #[must_use]
    pub fn new() -> Self {
        Self::at(LIBRARY)
    }

    /// A library at a path, or of another name.
    #[must_use]
    pub fn at(path: impl Into<OsString>) -> Self {
        Self {
            path: path.into(),
            loaded: OnceLock::new(),
            supplement: OnceLock::new(),
        }
    }

    fn library(&self) -> Answer<&nvml_wrapper::Nvml> {
        if let Some(loaded) = self.loaded.get() {
            return Ok(loaded);
        }
        let path: &OsStr = &self.path;
        let library = nvml_wrapper::Nvml::builder()
            .lib_path(path)
            .flags(InitFlags::empty())
            .init()
            .map_err(|error| absent_or(Function::nvmlInit_v2, error))?;
        // Another thread may have been faster: then its library is used, and ours is let go.
        Ok(self.loaded.get_or_init(|| library))
    }

    fn supplement(&self, function: Function) -> Answer<&vram_sys::Nvml> {
        if let Some(loaded) = self.supplement.get() {
            return Ok(loaded);
        }
        let library =
            vram_sys::Nvml::load(&self.path).map_err(|error| from_supplement(function, &error))?;
        Ok(self.supplement.get_or_init(|| library))
    }

    /// Asks the supplement about a card, which it knows by its UUID.
    fn ask_supplement<T>(
        &self,
        function: Function,
        uuid: String,
        ask: impl FnOnce(&vram_sys::Nvml, &core::ffi::CStr) -> Result<T, SupplementError>,
    ) -> Answer<T> {
        let uuid = CString::new(uuid).map_err(|_| Error::Refused {
            function,
            reason: "the card's UUID is no text".to_owned(),
        })?;
        ask(self.supplement(function)?, &uuid).map_err(|error| from_supplement(function, &error))
    }

    fn card<'a>(
        &'a self,
        function: Function,
        found: Result<nvml_wrapper::Device<'a>, NvmlError>,
    ) -> Answer<NvmlCard<'a>> {
        let device = found.map_err(|error| match error {
            // A UUID or an address that the library can't read names none of its cards.
            NvmlError::InvalidArg => Error::NotFound { function },
            other => translated(function, other),
        })?;
        Ok(NvmlCard::new(self, device))
    }
}

impl Management for ManagementLibrary {
    fn start(&self) -> Answer<()> {
        self.library().map(|_| ())
    }

    fn driver_version(&self) -> Answer<String> {
        self.library()?
            .sys_driver_version()
            .map_err(|error| translated(Function::nvmlSystemGetDriverVersion, error))
    }

    fn card_by_uuid(&self, uuid: &str) -> Answer<Box<dyn ManagedCard + '_>> {
        let found = self.library()?.device_by_uuid(uuid);
        let card = self.card(Function::nvmlDeviceGetHandleByUUID, found)?;
        Ok(Box::new(card))
    }

    fn card_by_pci_bus_id(&self, id: &str) -> Answer<Box<dyn ManagedCard + '_>> {
        let found = self.library()?.device_by_pci_bus_id(id);
        let card = self.card(Function::nvmlDeviceGetHandleByPciBusId_v2, found)?;
        Ok(Box::new(card))
    }
}

/// The same refusal in this crate's words.
fn translated(function: Function, error: NvmlError) -> Error {
    match error {
        NvmlError::DriverNotLoaded => Error::DriverNotLoaded { function },
        NvmlError::LibRmVersionMismatch => Error::VersionMismatch { function },
        NvmlError::NotSupported => Error::NotSupported { function },
        NvmlError::NoPermission => Error::NoPermission { function },
        NvmlError::NotFound => Error::NotFound { function },
        NvmlError::GpuLost => Error::CardLost { function },
        NvmlError::FailedToLoadSymbol(_) | NvmlError::FunctionNotFound => {
            Error::FunctionMissing { function }
        }
        other => Error::Refused {
            function,
            reason: other.to_string(),
        },
    }
}

/// The same at the start, where a library that can't be loaded is one that is absent.
fn absent_or(function: Function, error: NvmlError) -> Error {
    match error {
        NvmlError::LibloadingError(error) => Error::LibraryAbsent {
            reason: error.to_string(),
        },
        other => translated(function, other),
    }
}

fn from_supplement(function: Function, error: &SupplementError) -> Error {
    match error {
        SupplementError::FunctionMissing { .. } => Error::FunctionMissing { function },
        // The codes are those of `nvmlReturn_t`.
        SupplementError::Refused { code: 3, .. } => Error::NotSupported { function },
        SupplementError::Refused { code: 4, .. } => Error::NoPermission { function },
        SupplementError::Refused { code: 6, .. } => Error::NotFound { function },
        SupplementError::Refused { code: 15, .. } => Error::CardLost { function },
        other => Error::Refused {
            function,
            reason: other.to_string(),
        },
    }
}
