"""The values that everything else works on."""
