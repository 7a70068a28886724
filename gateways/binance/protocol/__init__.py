"""The exchange's formats as pure functions: answers judged, requests signed, frames and events decoded."""
