//! Process handles.
