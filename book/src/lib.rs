//! The program behind the book.

pub mod course;
pub mod problem;
pub mod transcript;
