//! Platforms as text, the way BuildKit reads them (`containerd/platforms` database.go): several spellings, one meaning. Pure.

use serde::Deserialize;

use super::manifest::Platform;

/// The platform of an image, by the image's own config.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Configured {
    /// As written: spellings differ.
    #[serde(flatten)]
    pub platform: Platform,
    /// `10.0.17763.1879`; images of Windows have one.
    #[serde(rename = "os.version", default)]
    pub os_version: Option<String>,
}

/// Reads it. `None` where the bytes are no config.
pub fn of_config(config: &[u8]) -> Option<Configured> {
    serde_json::from_slice(config).ok()
}

/// The one spelling of a platform: `linux/aarch64` and `linux/arm64/v8` are `linux/arm64`. What nobody knows stays as it is.
pub fn normalise(text: &str) -> String {
    let platform = parse(text);
    let variant = platform.variant.map(|variant| format!("/{variant}")).unwrap_or_default();
    format!("{}/{}{variant}", platform.os, platform.architecture)
}

/// `os/arch[/variant]` in parts, as an index names it.
pub fn parse(text: &str) -> Platform {
    let text = text.to_ascii_lowercase();
    let mut parts = text.splitn(3, '/');
    let (os, arch, variant) =
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let (arch, variant) = match (arch, variant) {
        ("i386", _) => ("386", ""),
        ("x86_64" | "x86-64" | "amd64", "" | "v1") => ("amd64", ""),
        ("x86_64" | "x86-64", variant) => ("amd64", variant),
        ("aarch64" | "arm64", "" | "8" | "v8" | "8.0" | "v8.0") => ("arm64", ""),
        ("aarch64", variant) => ("arm64", variant),
        ("armhf", _) | ("arm", "" | "7") => ("arm", "v7"),
        ("armel", _) | ("arm", "6") => ("arm", "v6"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "8") => ("arm", "v8"),
        other => other,
    };
    Platform {
        os: if os == "macos" { "darwin" } else { os }.to_owned(),
        architecture: arch.to_owned(),
        variant: (!variant.is_empty()).then(|| variant.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_tells_its_platform() {
        let told = |config: &str| {
            of_config(config.as_bytes())
                .map(|found| (found.platform.os, found.platform.architecture, found.platform.variant, found.os_version))
        };
        let some = |text: &str| Some(text.to_owned());
        let arm = r#"{"architecture":"arm","os":"linux","variant":"v6","rootfs":{"type":"layers"}}"#;
        assert_eq!(told(arm), Some(("linux".to_owned(), "arm".to_owned(), some("v6"), None)));
        let windows = r#"{"os":"windows","architecture":"amd64","os.version":"10.0.1"}"#;
        assert_eq!(told(windows), Some(("windows".to_owned(), "amd64".to_owned(), None, some("10.0.1"))));
        assert_eq!(told("{}"), Some((String::new(), String::new(), None, None)));
        assert_eq!(told(r#"{"os":1}"#), None);
        assert_eq!(told("x"), None);
    }

    #[test]
    fn every_spelling_has_one_meaning() {
        for (written, meant) in [
            ("linux/amd64", "linux/amd64"),
            ("Linux/X86_64", "linux/amd64"),
            ("linux/amd64/v1", "linux/amd64"),
            ("linux/amd64/v3", "linux/amd64/v3"),
            ("linux/arm64", "linux/arm64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/aarch64", "linux/arm64"),
            ("linux/arm64/v9", "linux/arm64/v9"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/arm/7", "linux/arm/v7"),
            ("linux/arm/v7", "linux/arm/v7"),
            ("linux/arm/v6", "linux/arm/v6"),
            ("linux/armel", "linux/arm/v6"),
            ("linux/i386", "linux/386"),
            ("windows/amd64", "windows/amd64"),
            ("linux/riscv64", "linux/riscv64"),
        ] {
            assert_eq!(normalise(written), meant, "{written}");
            assert_eq!(normalise(meant), meant);
        }
    }
}
