//! The bundled documents: which feed each is, and how its upstream serves it. Data alone.

use crate::demo::document::Shape;

/// A document in the binary.
pub(super) struct Bundled {
    /// The feed's name.
    pub(super) name: &'static str,
    /// Which elements it is made of.
    pub(super) shape: Shape,
    /// The document.
    pub(super) text: &'static str,
    /// The kind of server that it imitates.
    pub(super) upstream: Upstream,
}

/// A kind of server.
#[derive(Debug, Clone, Copy)]
pub(super) enum Upstream {
    /// A public-inbox list of the feed's name.
    Archive,
    /// A cgit repository of the feed's name and `.git`.
    Tree,
    /// A document that comes whole, at this path.
    Whole {
        path: &'static str,
        content_type: &'static str,
    },
}

const RSS: &str = "application/rss+xml; charset=utf-8";

/// Every document of the week.
pub(super) const BUNDLED: &[Bundled] = &[
    Bundled {
        name: "netdev",
        shape: Shape::Atom,
        text: include_str!("week/netdev.atom"),
        upstream: Upstream::Archive,
    },
    Bundled {
        name: "linux-arm-kernel",
        shape: Shape::Atom,
        text: include_str!("week/linux-arm-kernel.atom"),
        upstream: Upstream::Archive,
    },
    Bundled {
        name: "llvm-commits",
        shape: Shape::Atom,
        text: include_str!("week/llvm-commits.atom"),
        upstream: Upstream::Archive,
    },
    Bundled {
        name: "net",
        shape: Shape::Atom,
        text: include_str!("week/net.atom"),
        upstream: Upstream::Tree,
    },
    Bundled {
        name: "net-next",
        shape: Shape::Atom,
        text: include_str!("week/net-next.atom"),
        upstream: Upstream::Tree,
    },
    Bundled {
        name: "lwn",
        shape: Shape::Rdf,
        text: include_str!("week/lwn.rdf"),
        upstream: Upstream::Whole {
            path: "/headlines/rss",
            content_type: "text/xml; charset=utf-8",
        },
    },
    Bundled {
        name: "youtube",
        shape: Shape::Atom,
        text: include_str!("week/youtube.atom"),
        upstream: Upstream::Whole {
            path: "/feeds/videos.xml",
            content_type: "text/xml; charset=UTF-8",
        },
    },
    Bundled {
        name: "slides",
        shape: Shape::Rss,
        text: include_str!("week/slides.rss"),
        upstream: Upstream::Whole {
            path: "/slides.rss",
            content_type: RSS,
        },
    },
    Bundled {
        name: "articles",
        shape: Shape::Rss,
        text: include_str!("week/articles.rss"),
        upstream: Upstream::Whole {
            path: "/articles.rss",
            content_type: RSS,
        },
    },
];
