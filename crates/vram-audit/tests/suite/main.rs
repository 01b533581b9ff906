//! Audit trails as their users have them: kept in memory and in files, tampered with, killed.

mod files;
mod killed;
mod memory;
mod overload;
mod tampering;
