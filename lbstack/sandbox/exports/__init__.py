"""Exports: which data rows, as which lines, in which files (API reference 1.11).

``filters``      which data rows an export holds
``times``        the dates that filters are written in, and the ones that lines print
``reading``      what the lines of some data rows are made of, read in bulk
``lines``        one data row as a line of the streamable export
``printing``     its annotations
``frames``       videos: the frames between two that were labelled
``legacy``       what a label says, as the older export prints it
``tokens``       what opens masks to whoever holds an export
``streams``      the files of an export, cut where lines end
``masks``        the images behind the URLs that exports print for annotations
``shapes``       masks drawn from boxes, polygons, points and cuboids
``png``          PNG images, read and written
"""
