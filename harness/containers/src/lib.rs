//! Real mail servers in containers.
