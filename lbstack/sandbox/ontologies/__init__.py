"""Ontologies and the feature schemas they share, behind both doors of ``kinds/ontology.py``.

``shape`` and ``tree`` are pure: the form of ``normalized``, and identity inside a feature. ``storage``
holds the rows, ``edits`` the rules of change, ``rest`` the REST endpoints.
"""
