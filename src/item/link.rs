//! Links: one spelling for those that lead to the same page.

use url::Url;

/// One spelling for links that lead to the same page: no fragment, no tracking parameters, no `/rss` at the end of an
/// LWN article.
pub fn canonical_link(link: &Url) -> String {
    let mut link = link.clone();
    link.set_fragment(None);
    let kept: Vec<(String, String)> = link
        .query_pairs()
        .filter(|(name, _)| {
            !name.starts_with("utm_") && !["fbclid", "gclid", "mc_cid"].contains(&name.as_ref())
        })
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    if link.query().is_some() && kept.len() < link.query_pairs().count() {
        link.set_query(None);
        if !kept.is_empty() {
            link.query_pairs_mut().extend_pairs(kept);
        }
    }
    if link.host_str() == Some("lwn.net") && link.path().starts_with("/Articles/") {
        let number: String = link.path()["/Articles/".len()..]
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        link.set_path(&format!("/Articles/{number}/"));
        let _ = link.set_scheme("https");
    }
    link.to_string()
}

/// The link for a person to follow: as [`canonical_link`], but with the place on the page that it points to.
pub fn readable_link(link: &Url) -> String {
    match (link.fragment(), Url::parse(&canonical_link(link))) {
        (Some(fragment), Ok(mut canonical)) => {
            canonical.set_fragment(Some(fragment));
            canonical.into()
        }
        (_, canonical) => canonical.map_or_else(|_| link.to_string(), String::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_page_has_one_spelling() {
        #[rustfmt::skip]
        let table = [
            ("https://x.y/a?utm_source=rss&b=1#top", "https://x.y/a?b=1", "https://x.y/a?b=1#top"),
            ("http://lwn.net/Articles/123/rss", "https://lwn.net/Articles/123/", "https://lwn.net/Articles/123/"),
            ("https://x.y/a?fbclid=1", "https://x.y/a", "https://x.y/a"),
            ("https://x.y/a?q=a%20b", "https://x.y/a?q=a%20b", "https://x.y/a?q=a%20b"),
        ];
        for (raw, canonical, readable) in table {
            let link = Url::parse(raw).expect("a URL");
            assert_eq!(
                (canonical_link(&link), readable_link(&link)),
                (canonical.to_owned(), readable.to_owned())
            );
        }
    }
}
