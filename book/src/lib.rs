//! The program behind the book.

pub mod catch_up;
pub mod check;
pub mod compare;
pub mod course;
pub mod diagram;
pub mod interrupt;
mod links;
pub mod listing;
mod matrix;
pub mod pages;
mod play;
pub mod problem;
pub mod serve;
pub mod site;
pub mod transcript;
pub mod work;
