//! Pictures of free entries. Bytes of a stranger become a picture of ours: bounded before decoding, decoded, turned upright,
//! made smaller, and encoded again, so nothing else of the file is left.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::item::hex;

/// The most bytes of an upload.
pub const UPLOAD_BYTES_MAX: usize = 8 << 20;
/// The most pixels of an upload: about 130 MB while it is decoded.
const PIXELS_MAX: u64 = 24_000_000;
const SIDE_MAX: u32 = 12_000;
/// The most memory of the decoder.
const DECODER_BYTES_MAX: u64 = 192 << 20;
/// The most pixels of a side as it is stored. A page shows half of them.
const STORED_SIDE_MAX: u32 = 1_600;
const QUALITY: u8 = 85;
/// The most characters of the words for those who do not see it.
pub const ALT_CHARS_MAX: usize = 300;

/// A picture as an issue names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// The name of its file: the SHA-256 of its bytes, with its ending.
    pub file: String,
    /// The words for those who do not see it.
    pub alt: String,
    /// Pixels.
    pub width: u32,
    pub height: u32,
}

/// A picture that was encoded by us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedPicture {
    /// The name of its file.
    pub file: String,
    pub width: u32,
    pub height: u32,
    pub body: Vec<u8>,
}

/// Why bytes are no picture for us.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongPicture {
    #[error(
        "the picture has more than {} MB; make it smaller",
        UPLOAD_BYTES_MAX >> 20
    )]
    TooManyBytes,
    #[error("the file is no PNG, JPEG or WebP picture; convert it to one of these")]
    Unknown,
    #[error("the picture has {width} × {height} pixels, which is too much; make it smaller")]
    TooManyPixels { width: u32, height: u32 },
    #[error("the picture is damaged: {0}")]
    Damaged(String),
}

/// Reads a picture, and encodes it again.
///
/// # Errors
///
/// Returns an error that names the remedy.
pub fn encode(bytes: &[u8]) -> Result<EncodedPicture, WrongPicture> {
    if bytes.len() > UPLOAD_BYTES_MAX {
        return Err(WrongPicture::TooManyBytes);
    }
    let format = image::guess_format(bytes).map_err(|_| WrongPicture::Unknown)?;
    if !matches!(
        format,
        ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP
    ) {
        return Err(WrongPicture::Unknown);
    }
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(SIDE_MAX), Some(SIDE_MAX));
    limits.max_alloc = Some(DECODER_BYTES_MAX);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let damaged = |error: image::ImageError| {
        WrongPicture::Damaged(
            crate::post::plain(&error.to_string())
                .chars()
                .take(200)
                .collect(),
        )
    };
    let (width, height) = ImageReader::with_format(Cursor::new(bytes), format)
        .into_dimensions()
        .map_err(damaged)?;
    if u64::from(width) * u64::from(height) > PIXELS_MAX || width.max(height) > SIDE_MAX {
        return Err(WrongPicture::TooManyPixels { width, height });
    }
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let orientation = decoder.orientation().map_err(damaged)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    picture.apply_orientation(orientation);
    if picture.width().max(picture.height()) > STORED_SIDE_MAX {
        picture = picture.resize(STORED_SIDE_MAX, STORED_SIDE_MAX, FilterType::Triangle);
    }
    let mut body = Vec::new();
    let ending = match format {
        // A photograph stays one; a drawing stays sharp.
        ImageFormat::Jpeg => {
            let picture = DynamicImage::ImageRgb8(picture.to_rgb8());
            let encoder = JpegEncoder::new_with_quality(&mut body, QUALITY);
            picture.write_with_encoder(encoder).map_err(damaged)?;
            "jpeg"
        }
        _ => {
            let picture = match picture.color().has_alpha() {
                true => DynamicImage::ImageRgba8(picture.to_rgba8()),
                false => DynamicImage::ImageRgb8(picture.to_rgb8()),
            };
            let encoder = PngEncoder::new(&mut body);
            picture.write_with_encoder(encoder).map_err(damaged)?;
            "png"
        }
    };
    let digest = Sha256::digest(&body);
    Ok(EncodedPicture {
        file: format!("{}.{ending}", hex(&digest)),
        width: picture.width(),
        height: picture.height(),
        body,
    })
}

/// Where a picture is, below its site.
pub fn path(file: &str) -> String {
    format!("pictures/{file}")
}

/// The content type of a picture's file; `None` if no picture has such a name.
pub fn content_type(file: &str) -> Option<&'static str> {
    let (digits, ending) = file.split_once('.')?;
    let is_hash = digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    match ending {
        "png" if is_hash => Some("image/png"),
        "jpeg" if is_hash => Some("image/jpeg"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).expect("it is encoded");
        bytes.into_inner()
    }

    #[test]
    fn pictures_are_encoded_again_and_nothing_else_is_left() {
        let picture = DynamicImage::new_rgb8(40, 30);
        for (format, ending) in [
            (ImageFormat::Png, "png"),
            (ImageFormat::WebP, "png"),
            (ImageFormat::Jpeg, "jpeg"),
        ] {
            let mut bytes = written(&picture, format);
            bytes.extend_from_slice(b"<script>alert(1)</script>");
            let made = encode(&bytes).expect("a picture");
            assert_eq!((made.width, made.height), (40, 30));
            assert!(made.file.ends_with(ending), "{}", made.file);
            assert!(content_type(&made.file).is_some());
            assert!(!made.body.windows(7).any(|part| part == b"<script"));
            // The same picture again is the same file.
            assert_eq!(encode(&bytes).expect("a picture").file, made.file);
        }
    }

    #[test]
    fn large_ones_are_made_smaller_and_transparent_ones_stay_so() {
        let bytes = written(&DynamicImage::new_rgba8(3_200, 100), ImageFormat::Png);
        let made = encode(&bytes).expect("a picture");
        assert_eq!((made.width, made.height), (1_600, 50));
        let again = image::load_from_memory(&made.body).expect("a picture");
        assert!(again.color().has_alpha());
        assert_eq!(again.to_rgba8().get_pixel(3, 3).0[3], 0);
    }

    #[test]
    fn bombs_and_other_files_are_refused_before_they_are_decoded() {
        // 30,000 × 30,000 pixels in a few bytes: only the header is true.
        let mut bomb = written(&DynamicImage::new_luma8(1, 1), ImageFormat::Png);
        bomb[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
        let crc = crc32(&bomb[12..29]);
        bomb[29..33].copy_from_slice(&crc.to_be_bytes());
        let begun = std::time::Instant::now();
        assert_eq!(
            encode(&bomb),
            Err(WrongPicture::TooManyPixels {
                width: 30_000,
                height: 30_000
            })
        );
        assert!(begun.elapsed().as_millis() < 500, "{:?}", begun.elapsed());
        for bytes in [&b""[..], b"GIF89a", b"<svg/>", b"\x89PNG", b"BM"] {
            assert_eq!(encode(bytes), Err(WrongPicture::Unknown), "{bytes:?}");
        }
        let half = written(&DynamicImage::new_rgb8(300, 300), ImageFormat::Png);
        let half = &half[..half.len() / 2];
        assert!(matches!(encode(half), Err(WrongPicture::Damaged(_))));
        assert_eq!(
            encode(&vec![0; UPLOAD_BYTES_MAX + 1]),
            Err(WrongPicture::TooManyBytes)
        );
    }

    fn crc32(bytes: &[u8]) -> u32 {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        crc.sum()
    }

    #[test]
    fn names_are_hashes() {
        let digits = "a".repeat(64);
        for (file, right) in [
            (format!("{digits}.png"), Some("image/png")),
            (format!("{digits}.jpeg"), Some("image/jpeg")),
            (format!("{digits}.svg"), None),
            ("../x.png".to_owned(), None),
            ("x.png".to_owned(), None),
        ] {
            assert_eq!(content_type(&file), right, "{file}");
        }
    }
}
