//! Device memory over the simulated driver: what is promised, under every failure that the driver
//! can be made to have.
#![cfg(test)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "tests compute on known values"
)]

mod bounds;
mod budget;
mod capacity;
#[cfg(feature = "cust")]
mod cust;
mod devices;
mod external;
mod freezing;
mod kernels;
mod loss;
mod privacy;
mod probes;
mod releasing;
mod rig;
mod staging;
mod sweep;
mod tables;
mod threads;
mod wiping;
