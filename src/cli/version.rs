//! The words of `--version`.

/// The version, the commit that this program was built from (release builds from a git repository), and the features.
pub(super) fn version() -> String {
    let mut parts = Vec::new();
    if let Some(commit) = option_env!("BPFNEWS_COMMIT") {
        parts.push(format!("commit {commit}"));
    }
    parts.push(match cfg!(feature = "matrix") {
        true => "features: matrix".to_owned(),
        false => "features: none".to_owned(),
    });
    format!("{} ({})", env!("CARGO_PKG_VERSION"), parts.join("; "))
}
