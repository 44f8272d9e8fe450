#![no_main]
#![allow(missing_docs)]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| loginspec::properties::octet_notation(input));
