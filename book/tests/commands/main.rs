//! What `cargo book` does, seen from outside: the real program, on a small
//! book of its own.

mod build;
mod compare;
mod doctor;
mod epub;
mod forbidden;
mod http;
mod learn;
mod pack;
mod play;
mod repository;
mod schedule;
mod serve;
mod teacher;
mod work;
