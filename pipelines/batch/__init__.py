"""Many documents: each read in a process of its own, none lost, and a run that goes on after any stop.

    inputs → manifest (one row each) → workers (one document at a time, page by page) → results/…
                                          ↘ model server (one model for all workers) ↗

- :mod:`~docai.pipelines.batch.inputs`: files, folders, lists and JSON lines as inputs, each with a result of
  its own;
- :mod:`~docai.pipelines.batch.manifest`: the run folder's truth, a row for each input;
- :mod:`~docai.pipelines.batch.folder`: the run folder: its lock, its settings, its files;
- :mod:`~docai.pipelines.batch.worker`: what happens in a worker process; :mod:`~docai.pipelines.batch.pages`
  keeps the pages of a document that is not finished;
- :mod:`~docai.pipelines.batch.sandbox`: what a worker gives up, :mod:`~docai.pipelines.batch.owner` when it
  ends, :mod:`~docai.pipelines.batch.memory` what it takes;
- :mod:`~docai.pipelines.batch.model_server`: the model in a process of its own,
  :mod:`~docai.pipelines.batch.model_client` the engine of a worker, which asks it;
- :mod:`~docai.pipelines.batch.document`: one document through its worker, whatever happens to that, with
  :mod:`~docai.pipelines.batch.sharing` for workers that read pages of a document of another;
- :mod:`~docai.pipelines.batch.run`: all of them, several at a time;
- :mod:`~docai.pipelines.batch.ray_run`: all of them over a cluster, with
  :mod:`~docai.pipelines.batch.ray_cluster` (which one, and how it is reached),
  :mod:`~docai.pipelines.batch.ray_task` (what happens on a node),
  :mod:`~docai.pipelines.batch.ray_model` (the copies of the model) and
  :mod:`~docai.pipelines.batch.ray_ledger` (what nodes tell);
- :mod:`~docai.pipelines.batch.storage`: documents and results that are named by a URL;
- :mod:`~docai.pipelines.batch.pool`: several at a time without a run folder, for ``docai process``;
- :mod:`~docai.pipelines.batch.listing`: the documents in a folder;
- :mod:`~docai.pipelines.batch.events`: what happens, as typed events;
- :mod:`~docai.pipelines.batch.report`: the run as a page of HTML.
"""
