//! The page: one document without external resources, assembled from its parts at compile time.

/// The whole document.
pub(crate) const PAGE: &str = concat!(
    "<!doctype html>\n<html lang=\"en\">\n<head>\n",
    include_str!("page/head.html"),
    "<style>\n",
    include_str!("page/style.css"),
    "</style>\n</head>\n<body>\n",
    include_str!("page/body.html"),
    "<script>\n\"use strict\";\n",
    include_str!("page/shared.js"),
    "\n",
    include_str!("page/list.js"),
    "\n",
    include_str!("page/plots.js"),
    "\n",
    include_str!("page/connection.js"),
    "\n",
    include_str!("page/start.js"),
    "</script>\n</body>\n</html>\n",
);
