//! Any bytes as `.stagefreight.yml`. Seeds: `tests/fixtures/config/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| stagefreight::config::fuzz::config_load(text));
