"""docai as a source of documents for other libraries; each module needs the library that it is named after.

- :mod:`docai.integrations.langchain`: a loader of LangChain;
- :mod:`docai.integrations.llama_index`: a reader of LlamaIndex.

Both give the chunks of :mod:`docai.exports.chunks`, with the same metadata: :mod:`docai.integrations.pieces`.
"""
