"""Where bars come from: files, frames, the sample and Yahoo, behind one protocol."""
