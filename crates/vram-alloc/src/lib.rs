//! Safe GPU memory: devices, a budget, regions that freeze, pinned staging, wiping and accounting
