use super::*;
use rstest::rstest;

/// As cosign 2.5 and 3.1 print them.
#[rstest]
#[case(
    "Error: decrypt: encrypted: decryption failed\nerror during command execution: decrypt: encrypted: decryption failed",
    Cause::Password
)]
#[case(
    "Enter password for private key: Error: inappropriate ioctl for device\nerror during command execution: x",
    Cause::Password
)]
#[case("Error: open nothing.key: no such file or directory\nerror during command execution: …", Cause::NoKey)]
#[case("Error: signing [r]: accessing image: GET https://r/v2/: UNAUTHORIZED: authentication required", Cause::Refused)]
#[case(
    "WARNING: x\nError: signing bundle: PUT http://r/v2/a/manifests/x: unexpected status code 500 Internal Server Error",
    Cause::Registry
)]
#[case("Error: getting signer: getting key from Fulcio: retrieving cert: dial tcp", Cause::Services)]
#[case("Error: reading key: unsupported pem type: PRIVATE KEY", Cause::Key)]
#[case("Killed", Cause::Other)]
fn causes_are_told_apart(#[case] stderr: &str, #[case] expected: Cause) {
    assert_eq!(cause(&last_words(stderr)), expected, "{}", last_words(stderr));
}

#[test]
fn last_words_are_one_clean_line() {
    assert_eq!(
        last_words("WARNING: a\nError: it \u{1b}[31mbroke\u{7}.\nerror during command execution: it broke"),
        "it  [31mbroke"
    );
    assert_eq!(last_words("  \n\n"), "nothing");
    assert_eq!(last_words(&format!("Error: {}", "é".repeat(5000))).chars().count(), LAST_WORDS);
}

#[test]
fn a_password_that_is_missing_is_another_matter_than_a_wrong_one() {
    assert!(cure(Cause::Password, true).contains("is not the password"));
    assert!(cure(Cause::Password, false).contains("give it to the job as COSIGN_PASSWORD"));
}
