//! Nothing here: the suites are in `tests/`.
