"""What a label or a pre-label holds: annotations, how they come in, how they are kept, how alike they are.

They are kept as JSON in the form of the vendor's new exports (API reference 1.11)::

    {"objects": [...], "classifications": [...], "relationships": [...]}

Every annotation has ``feature_id``, ``feature_schema_id``, ``name`` and ``value``, the machine name.

* An object also has ``annotation_kind``, ``classifications`` and one of ``bounding_box``, ``polygon``,
  ``line``, ``point``, ``mask``, ``cuboid``, ``location``, ``text_selections``, ``segments`` (video: lists of
  ``keyframes``), ``message_evaluation_task``. A mask is ``{"file": URL of a file of ours}`` or
  ``{"uri": URL, "color": [r, g, b]}``; one in a video has ``frames``, each a mask with ``index``.
  ``page`` and ``unit``, ``message_id`` stand beside the value where they were told.
* A relationship has ``unidirectional_relationship`` (or ``bidirectional_relationship``) with the feature
  ids ``source`` and ``target``. It stands in ``relationships`` and, as the vendor prints it, once more
  among the ``objects``.
* A classification has ``radio_answer``, ``checklist_answers`` or ``text_answer: {"content"}``; answers have
  ``classifications`` of their own. In a video, ``frames: [{"start", "end"}]`` of the classification or of
  each answer; answers that change with the frames are listed: ``radio_answers``, ``text_answers``.
"""
