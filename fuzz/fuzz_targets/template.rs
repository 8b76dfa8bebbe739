//! Any text as a template, as a tag and as a value of `vars`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| stagefreight::config::fuzz::template(text));
