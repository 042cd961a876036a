//! The file formats of the BME simulation.
