//! What nothing else checks of the source itself: layers, heads of files, words, dependencies, and that the reference pages
//! say what the programs do. Every complaint names file and line.

mod breaks;
mod dependencies;
mod layers;
mod pages;
mod reasons;
mod reliability;
mod source;
mod text;
