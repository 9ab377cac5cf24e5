//! The directive table: names, contexts, parsing, typed configuration and merging.
