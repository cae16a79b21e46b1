//! Comparisons of single values: e-mail addresses, paths, words.

/// Whether an e-mail address is meant: a whole address, `@` and a domain, or the part before the `@`.
pub(super) fn is_address(address: &str, wanted: &str) -> bool {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    match wanted.strip_prefix('@') {
        Some(wanted) => {
            let below = domain.len().checked_sub(wanted.len());
            let end = below.and_then(|at| Some((domain.get(..at)?, domain.get(at..)?)));
            end.is_some_and(|(above, end)| {
                end.eq_ignore_ascii_case(wanted) && (above.is_empty() || above.ends_with('.'))
            })
        }
        None if wanted.contains('@') => address.eq_ignore_ascii_case(wanted),
        None => local.eq_ignore_ascii_case(wanted),
    }
}

/// Whether a list is meant: by its name, by the beginning of its List-Id, or by its address.
pub(super) fn is_list(list: &str, wanted: &str) -> bool {
    let head = list.get(..wanted.len());
    let rest = list.get(wanted.len()..).unwrap_or_default();
    head.is_some_and(|head| head.eq_ignore_ascii_case(wanted))
        && (rest.is_empty() || rest.starts_with('.'))
}

/// Whether a file is meant by a path: the file itself, a folder above it, or a pattern with `*` and `?`, which match within a
/// folder. A pattern that ends with `/` means everything in the folder and below. MAINTAINERS has the same rule.
pub(super) fn is_path(file: &str, wanted: &str) -> bool {
    let (folder_only, wanted) = match wanted.strip_suffix('/') {
        Some(folder) => (true, folder),
        None => (false, wanted),
    };
    let mut parts = file.split('/');
    let mut wanted = wanted.split('/').peekable();
    while let Some(pattern) = wanted.next() {
        let Some(part) = parts.next() else {
            return false;
        };
        if !is_part(part.as_bytes(), pattern.as_bytes()) {
            return false;
        }
        let is_last = wanted.peek().is_none();
        // `drivers/net/*` means the files in the folder, and not those below.
        if is_last && !folder_only && pattern.contains('*') {
            return parts.next().is_none();
        }
    }
    !folder_only || parts.next().is_some()
}

/// Whether a part of a path has the form of a pattern. Time: the product of the lengths.
fn is_part(part: &[u8], pattern: &[u8]) -> bool {
    let (mut at, mut want) = (0, 0);
    // The last star, and where the part continued behind it.
    let mut star: Option<(usize, usize)> = None;
    while at < part.len() {
        match pattern.get(want) {
            Some(b'*') => {
                star = Some((want, at));
                want += 1;
            }
            Some(&wanted) if wanted == b'?' || wanted == part[at] => {
                at += 1;
                want += 1;
            }
            Some(_) | None => {
                let Some((place, taken)) = star else {
                    return false;
                };
                star = Some((place, taken + 1));
                (at, want) = (taken + 1, place + 1);
            }
        }
    }
    pattern[want..].iter().all(|&wanted| wanted == b'*')
}

/// The folder in which all files of a path or a pattern are: its parts before the last one, and before the first one with a
/// wildcard. A path with `/` at its end is a folder itself. Empty if there is no such folder.
pub(super) fn folder_of(path: &str) -> String {
    let folder = match path.strip_suffix('/') {
        Some(folder) => folder,
        None => path.rsplit_once('/').map_or("", |(folder, _)| folder),
    };
    let parts = folder.split('/');
    let literal: Vec<&str> = parts
        .take_while(|part| !part.contains(['*', '?']))
        .collect();
    literal.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_or_a_pattern_means_files_in_a_folder() {
        let table = [
            ("kernel/bpf/", "kernel/bpf"),
            ("kernel/bpf/core.c", "kernel/bpf"),
            ("kernel/bpf/verifier.c", "kernel/bpf"),
            ("kernel/bpf", "kernel"),
            ("kernel/", "kernel"),
            ("kernel", ""),
            ("kernel/b*/x.c", "kernel"),
            ("include/linux/bpf*", "include/linux"),
            ("arch/*/net/bpf_jit*", "arch"),
            ("tools/test?/bpf/", "tools"),
            ("a/b?", "a"),
            ("*/bpf/", ""),
            ("Makefile", ""),
            ("*/", ""),
            ("*", ""),
            ("", ""),
        ];
        for (path, folder) in table {
            assert_eq!(folder_of(path), folder, "{path}");
        }
    }

    #[test]
    fn addresses_are_meant_whole_by_domain_or_by_name() {
        #[rustfmt::skip]
        let table = [
            ("Zoe@Kernel.example", "zoe@kernel.EXAMPLE", true),
            ("zoe@kernel.example", "zoe", true),
            ("zoe@kernel.example", "zo", false),
            ("zoe@kernel.example", "@kernel.example", true),
            ("zoe@mail.kernel.example", "@kernel.example", true),
            ("zoe@notkernel.example", "@kernel.example", false),
            ("zoe@kernel.example", "@", false),
            ("zoe", "zoe", true),
            ("zoë@k.example", "@ë", false),
        ];
        for (address, wanted, is) in table {
            assert_eq!(is_address(address, wanted), is, "{address} {wanted}");
        }
    }

    #[test]
    fn lists_are_meant_by_name_or_id() {
        assert!(is_list("bpf.vger.example", "BPF") && is_list("bpf", "bpf"));
        assert!(!is_list("bpf-next", "bpf") && !is_list("b", "bpf"));
        assert!(is_list("bpf.vger.example", "bpf.vger"));
    }

    #[test]
    fn paths_are_files_folders_and_patterns() {
        #[rustfmt::skip]
        let table = [
            ("kernel/bpf/verifier.c", "kernel/bpf/verifier.c", true),
            ("kernel/bpf/verifier.c", "kernel/bpf/", true),
            ("kernel/bpf/verifier.c", "kernel/bpf", true),
            ("kernel/bpf/verifier.c", "kernel", true),
            ("kernel/bpf_x/verifier.c", "kernel/bpf", false),
            ("kernel/bpf/verifier.c", "kernel/bpf/verifier", false),
            ("kernel/bpf/verifier.c", "kernel/bpf/verifier.c/", false),
            ("kernel/bpf/verifier.c", "kernel/bpf/*.c", true),
            ("kernel/bpf/preload/x.c", "kernel/bpf/*", false),
            ("kernel/bpf/x.c", "kernel/bpf/*", true),
            ("kernel/bpf/preload/x.c", "kernel/*/", true),
            ("kernel/bpf/x.c", "kernel/*/x.c", true),
            ("kernel/bpf/x.c", "*/bpf/?.c", true),
            ("kernel/bpf/xy.c", "*/bpf/?.c", false),
            ("kernel", "kernel/bpf", false),
            ("a/bpf_jit_comp32.c", "a/bpf_jit*32*", true),
            ("a", "*/", false),
        ];
        for (file, wanted, is) in table {
            assert_eq!(is_path(file, wanted), is, "{file} {wanted}");
        }
    }

    #[test]
    fn a_hostile_pattern_takes_no_time() {
        let (file, pattern) = ("a".repeat(1_000), format!("{}b", "a*".repeat(900)));
        assert!(!is_path(&file, &pattern));
    }
}
