//! The `[subsystems]` table: the MAINTAINERS file whose subsystems filters may name.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::reader::Table;
use crate::filter::{MAINTAINERS_BYTES_MAX, Subsystems};

/// Reads the table and the file that it names. A relative path starts at `folder`.
pub(super) fn read_subsystems(mut table: Table<'_, '_>, folder: &Path) -> Subsystems {
    const RIGHT: &str = "the path of a file, such as \"linux/MAINTAINERS\"";
    let field = table.need("maintainers", RIGHT);
    table.finish();
    let Some(field) = field else {
        return Subsystems::default();
    };
    let Some(path) = field.text(RIGHT) else {
        return Subsystems::default();
    };
    if path.is_empty() || path.contains(char::is_control) {
        field.expected(RIGHT);
        return Subsystems::default();
    }
    let read = read_file(&folder.join(path)).and_then(|text| Subsystems::parse(&text));
    read.unwrap_or_else(|why| {
        field.note(format!(
            "is no file that can be used ({why}); name the MAINTAINERS file of a kernel's sources"
        ));
        Subsystems::default()
    })
}

fn read_file(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    let read = file
        .take(MAINTAINERS_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if read as u64 > MAINTAINERS_BYTES_MAX {
        return Err(format!("larger than {MAINTAINERS_BYTES_MAX} bytes"));
    }
    // Names of people may be in any encoding; patterns are ASCII.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
