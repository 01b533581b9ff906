//! A machine with its driver started and a context current, and short forms of the calls.

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

use vram_sim::{DeviceModel, Execution, Machine};
use vram_sys::{
    CUcontext, CUevent, CUfunction, CUmemAccess_flags, CUmemAccessDesc, CUmemAllocationProp,
    CUmemAllocationType, CUmemLocation, CUmemLocationType, CUmodule, CUpointer_attribute, CUresult,
    CUstream, Driver,
};

pub(crate) const MIB: usize = 1 << 20;
pub(crate) const PAGE: usize = 2 * MIB;

pub(crate) const INVALID_VALUE: CUresult = CUresult::CUDA_ERROR_INVALID_VALUE;
pub(crate) const INVALID_HANDLE: CUresult = CUresult::CUDA_ERROR_INVALID_HANDLE;
pub(crate) const INVALID_CONTEXT: CUresult = CUresult::CUDA_ERROR_INVALID_CONTEXT;
pub(crate) const OUT_OF_MEMORY: CUresult = CUresult::CUDA_ERROR_OUT_OF_MEMORY;
pub(crate) const ILLEGAL_ADDRESS: CUresult = CUresult::CUDA_ERROR_ILLEGAL_ADDRESS;
pub(crate) const NOT_READY: CUresult = CUresult::CUDA_ERROR_NOT_READY;
pub(crate) const NOT_SUPPORTED: CUresult = CUresult::CUDA_ERROR_NOT_SUPPORTED;

pub(crate) type Answer<T = ()> = Result<T, CUresult>;

/// Calls a driver function of a rig.
macro_rules! cuda {
    ($rig:expr, $function:ident($($argument:expr),* $(,)?)) => {{
        let function = $rig.driver.table().$function;
        // SAFETY: the pointers that tests pass are null where the driver must refuse that, and else
        // to live values of the documented types.
        let result = unsafe { function($($argument),*) };
        if result == vram_sys::CUresult::CUDA_SUCCESS { Ok(()) } else { Err(result) }
    }};
}

#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) machine: Machine,
    pub(crate) driver: Arc<Driver>,
    pub(crate) context: CUcontext,
}

/// Page-locked memory of a rig.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pinned {
    pub(crate) pointer: *mut u8,
    pub(crate) len: usize,
}

impl Pinned {
    pub(crate) fn write(&self, bytes: &[u8]) {
        assert!(bytes.len() <= self.len);
        // SAFETY: the buffer is live and long enough, and only the test's thread uses it.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.pointer, bytes.len()) };
    }

    pub(crate) fn read(&self, len: usize) -> Vec<u8> {
        assert!(len <= self.len);
        let mut bytes = vec![0; len];
        // SAFETY: as above.
        unsafe { ptr::copy_nonoverlapping(self.pointer, bytes.as_mut_ptr(), len) };
        bytes
    }

    pub(crate) fn host(&self) -> *mut c_void {
        self.pointer.cast()
    }
}

/// Mapped memory of a rig.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mapping {
    pub(crate) handle: u64,
    pub(crate) address: u64,
    pub(crate) size: usize,
}

pub(crate) fn location(device: i32) -> CUmemLocation {
    CUmemLocation {
        type_: CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE,
        id: device,
    }
}

pub(crate) fn properties(device: i32) -> CUmemAllocationProp {
    CUmemAllocationProp {
        type_: CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED,
        location: location(device),
        ..CUmemAllocationProp::default()
    }
}

pub(crate) const NONE: CUmemAccess_flags = CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_NONE;
pub(crate) const READ: CUmemAccess_flags = CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READ;
pub(crate) const READ_WRITE: CUmemAccess_flags =
    CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE;

impl Rig {
    /// One discrete device of 64 MiB, lazy.
    pub(crate) fn new() -> Self {
        Self::of(DeviceModel::small(64 << 20))
    }

    pub(crate) fn eager() -> Self {
        let machine = Machine::builder()
            .device(DeviceModel::small(64 << 20))
            .execution(Execution::Eager);
        Self::on(machine.build().unwrap())
    }

    pub(crate) fn of(model: DeviceModel) -> Self {
        Self::on(Machine::builder().device(model).build().unwrap())
    }

    pub(crate) fn pair() -> Self {
        let model = DeviceModel::small(64 << 20);
        let machine = Machine::builder().device(model.clone()).device(model);
        Self::on(machine.build().unwrap())
    }

    /// With the driver started and the first device's context current.
    pub(crate) fn on(machine: Machine) -> Self {
        let mut rig = Self::idle(machine);
        cuda!(rig, cuInit(0)).unwrap();
        rig.context = rig.retain(0).unwrap();
        cuda!(rig, cuCtxPushCurrent_v2(rig.context)).unwrap();
        rig
    }

    /// Without anything started.
    pub(crate) fn idle(machine: Machine) -> Self {
        let driver = machine.driver();
        Self {
            machine,
            driver,
            context: ptr::null_mut(),
        }
    }

    pub(crate) fn retain(&self, device: i32) -> Answer<CUcontext> {
        let mut context = ptr::null_mut();
        cuda!(self, cuDevicePrimaryCtxRetain(&mut context, device)).map(|()| context)
    }

    pub(crate) fn push(&self, context: CUcontext) -> Answer {
        cuda!(self, cuCtxPushCurrent_v2(context))
    }

    pub(crate) fn pop(&self) -> Answer<CUcontext> {
        let mut context = ptr::null_mut();
        cuda!(self, cuCtxPopCurrent_v2(&mut context)).map(|()| context)
    }

    pub(crate) fn info(&self) -> Answer<(usize, usize)> {
        let (mut free, mut total) = (0, 0);
        cuda!(self, cuMemGetInfo_v2(&mut free, &mut total)).map(|()| (free, total))
    }

    pub(crate) fn alloc(&self, bytes: usize) -> Answer<u64> {
        let mut address = 0;
        cuda!(self, cuMemAlloc_v2(&mut address, bytes)).map(|()| address)
    }

    pub(crate) fn managed(&self, bytes: usize) -> Answer<u64> {
        let mut address = 0;
        cuda!(self, cuMemAllocManaged(&mut address, bytes, 1)).map(|()| address)
    }

    pub(crate) fn free(&self, address: u64) -> Answer {
        cuda!(self, cuMemFree_v2(address))
    }

    pub(crate) fn pinned(&self, len: usize) -> Pinned {
        self.pinned_with(len, 0).unwrap()
    }

    pub(crate) fn pinned_with(&self, len: usize, flags: u32) -> Answer<Pinned> {
        let mut pointer = ptr::null_mut();
        cuda!(self, cuMemHostAlloc(&mut pointer, len, flags)).map(|()| Pinned {
            pointer: pointer.cast(),
            len,
        })
    }

    pub(crate) fn create(&self, bytes: usize) -> Answer<u64> {
        self.create_with(bytes, &properties(0))
    }

    pub(crate) fn create_with(&self, bytes: usize, prop: &CUmemAllocationProp) -> Answer<u64> {
        let mut handle = 0;
        cuda!(self, cuMemCreate(&mut handle, bytes, prop, 0)).map(|()| handle)
    }

    pub(crate) fn release(&self, handle: u64) -> Answer {
        cuda!(self, cuMemRelease(handle))
    }

    pub(crate) fn reserve(&self, bytes: usize) -> Answer<u64> {
        let mut address = 0;
        cuda!(self, cuMemAddressReserve(&mut address, bytes, 0, 0, 0)).map(|()| address)
    }

    pub(crate) fn unreserve(&self, address: u64, bytes: usize) -> Answer {
        cuda!(self, cuMemAddressFree(address, bytes))
    }

    pub(crate) fn map(&self, address: u64, bytes: usize, handle: u64) -> Answer {
        cuda!(self, cuMemMap(address, bytes, 0, handle, 0))
    }

    pub(crate) fn unmap(&self, address: u64, bytes: usize) -> Answer {
        cuda!(self, cuMemUnmap(address, bytes))
    }

    pub(crate) fn protect(&self, address: u64, bytes: usize, flags: CUmemAccess_flags) -> Answer {
        self.protect_for(0, address, bytes, flags)
    }

    pub(crate) fn protect_for(
        &self,
        device: i32,
        address: u64,
        bytes: usize,
        flags: CUmemAccess_flags,
    ) -> Answer {
        let description = CUmemAccessDesc {
            location: location(device),
            flags,
        };
        cuda!(self, cuMemSetAccess(address, bytes, &description, 1))
    }

    pub(crate) fn access(&self, address: u64) -> Answer<u64> {
        let mut flags = 99;
        cuda!(self, cuMemGetAccess(&mut flags, &location(0), address)).map(|()| flags)
    }

    /// Memory by virtual memory management, writable.
    pub(crate) fn mapping(&self, bytes: usize) -> Mapping {
        self.mapping_on(0, bytes)
    }

    pub(crate) fn mapping_on(&self, device: i32, bytes: usize) -> Mapping {
        let handle = self.create_with(bytes, &properties(device)).unwrap();
        let address = self.reserve(bytes).unwrap();
        self.map(address, bytes, handle).unwrap();
        self.protect_for(device, address, bytes, READ_WRITE)
            .unwrap();
        Mapping {
            handle,
            address,
            size: bytes,
        }
    }

    pub(crate) fn unmapping(&self, mapping: Mapping) {
        self.unmap(mapping.address, mapping.size).unwrap();
        self.release(mapping.handle).unwrap();
        self.unreserve(mapping.address, mapping.size).unwrap();
    }

    pub(crate) fn stream(&self) -> CUstream {
        self.stream_with(1).unwrap()
    }

    pub(crate) fn stream_with(&self, flags: u32) -> Answer<CUstream> {
        let mut stream = ptr::null_mut();
        cuda!(self, cuStreamCreate(&mut stream, flags)).map(|()| stream)
    }

    pub(crate) fn event(&self) -> CUevent {
        self.event_with(0).unwrap()
    }

    pub(crate) fn event_with(&self, flags: u32) -> Answer<CUevent> {
        let mut event = ptr::null_mut();
        cuda!(self, cuEventCreate(&mut event, flags)).map(|()| event)
    }

    pub(crate) fn record(&self, event: CUevent, stream: CUstream) -> Answer {
        cuda!(self, cuEventRecord(event, stream))
    }

    pub(crate) fn wait(&self, stream: CUstream, event: CUevent) -> Answer {
        cuda!(self, cuStreamWaitEvent(stream, event, 0))
    }

    pub(crate) fn query(&self, event: CUevent) -> Answer {
        cuda!(self, cuEventQuery(event))
    }

    pub(crate) fn sync(&self, stream: CUstream) -> Answer {
        cuda!(self, cuStreamSynchronize(stream))
    }

    pub(crate) fn sync_context(&self) -> Answer {
        cuda!(self, cuCtxSynchronize())
    }

    pub(crate) fn fill(&self, address: u64, value: u8, len: usize, stream: CUstream) -> Answer {
        cuda!(self, cuMemsetD8Async(address, value, len, stream))
    }

    pub(crate) fn copy(&self, to: u64, from: u64, len: usize, stream: CUstream) -> Answer {
        cuda!(self, cuMemcpyDtoDAsync_v2(to, from, len, stream))
    }

    pub(crate) fn upload_pinned(&self, to: u64, from: Pinned, len: usize, on: CUstream) -> Answer {
        cuda!(self, cuMemcpyHtoDAsync_v2(to, from.host(), len, on))
    }

    pub(crate) fn download_pinned(
        &self,
        to: Pinned,
        from: u64,
        len: usize,
        on: CUstream,
    ) -> Answer {
        cuda!(self, cuMemcpyDtoHAsync_v2(to.host(), from, len, on))
    }

    /// Queues a copy of pageable bytes.
    pub(crate) fn upload(&self, to: u64, bytes: &[u8], stream: CUstream) -> Answer {
        cuda!(
            self,
            cuMemcpyHtoDAsync_v2(to, bytes.as_ptr().cast(), bytes.len(), stream)
        )
    }

    /// Copies to pageable memory, which waits for the stream.
    pub(crate) fn download(&self, from: u64, len: usize, stream: CUstream) -> Answer<Vec<u8>> {
        let mut bytes = vec![0xEE; len];
        let to = bytes.as_mut_ptr().cast();
        cuda!(self, cuMemcpyDtoHAsync_v2(to, from, len, stream)).map(|()| bytes)
    }

    pub(crate) fn module(&self) -> CUmodule {
        self.load(vram_kernels::PTX).unwrap()
    }

    pub(crate) fn load(&self, image: &std::ffi::CStr) -> Answer<CUmodule> {
        let mut module = ptr::null_mut();
        let image = image.as_ptr().cast();
        cuda!(
            self,
            cuModuleLoadDataEx(&mut module, image, 0, ptr::null_mut(), ptr::null_mut())
        )
        .map(|()| module)
    }

    pub(crate) fn function(&self, module: CUmodule, name: &std::ffi::CStr) -> Answer<CUfunction> {
        let mut function = ptr::null_mut();
        cuda!(
            self,
            cuModuleGetFunction(&mut function, module, name.as_ptr())
        )
        .map(|()| function)
    }

    /// Launches a kernel with a grid and a block along `x`.
    pub(crate) fn launch<A>(
        &self,
        function: CUfunction,
        grid: u32,
        block: u32,
        stream: CUstream,
        arguments: &A,
    ) -> Answer {
        let mut parameters = [ptr::from_ref(arguments).cast_mut().cast::<c_void>()];
        let parameters = parameters.as_mut_ptr();
        cuda!(
            self,
            cuLaunchKernel(
                function,
                grid,
                1,
                1,
                block,
                1,
                1,
                0,
                stream,
                parameters,
                ptr::null_mut()
            )
        )
    }

    /// An attribute of an address whose value has type `T`.
    pub(crate) fn attribute<T: Default>(
        &self,
        attribute: CUpointer_attribute,
        address: u64,
    ) -> Answer<T> {
        let mut value = T::default();
        let to = ptr::from_mut(&mut value).cast();
        cuda!(self, cuPointerGetAttribute(to, attribute, address)).map(|()| value)
    }
}
