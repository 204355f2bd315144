"""Data rows beneath their kinds (API reference 1.8).

``spec``      what a client says about a row, read with suspicion
``media``     what kind of asset ``rowData`` is
``metadata``  metadata schemas, and the values that rows have for them
``storage``   the tables; rows are written, found by key, and deleted with all that hangs on them
``importing`` many rows at once: an item at a time, each taken or refused for itself
"""
