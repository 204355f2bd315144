"""One plan, many faces: each module draws the same values for one reader."""
