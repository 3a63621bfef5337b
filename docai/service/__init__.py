"""docai as a service on this machine: over HTTP (``docai serve``), and for assistants (``docai mcp``).

``jobs`` is the queue of documents (``job``) before the worker processes, ``display`` what is done with
results, in a process of its own; both ways share them, and ``terms``, what is allowed. Over HTTP: ``app``
puts all together, ``routes`` and ``views`` have the routes, ``arrival`` lets documents in, ``asked`` is
what a request may ask for, ``answers`` what is sent back, ``guard`` who is answered, ``figures`` the
metrics, ``running`` the server and its end. For assistants: ``tools`` and ``search``.
"""
