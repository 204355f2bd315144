"""Batteries that prove what an apply promises on its worst day: killed, unheard, limited, run twice."""
