#![no_main]
#![allow(missing_docs)]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|name: &[u8]| loginspec::properties::identity_parse(name));
