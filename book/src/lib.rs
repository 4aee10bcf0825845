//! The program behind the book.

pub mod catch_up;
pub mod check;
pub mod compare;
mod contracts;
pub mod course;
pub mod diagram;
pub mod doctor;
pub mod examine;
pub mod exercise;
mod finish;
pub mod interrupt;
pub mod learn;
mod links;
pub mod listing;
mod matrix;
pub mod pack;
pub mod pages;
mod play;
pub mod problem;
pub mod progress;
pub mod schedule;
pub mod serve;
pub mod site;
pub mod teaching;
mod terminal;
pub mod transcript;
pub mod work;
