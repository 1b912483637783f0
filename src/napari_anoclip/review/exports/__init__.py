"""What was judged, in the formats of other programs and in one for people. Each module writes one of them."""
