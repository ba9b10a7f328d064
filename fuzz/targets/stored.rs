#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nearline_fuzz::stored(bytes));
