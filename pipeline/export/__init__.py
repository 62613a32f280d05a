"""Published networks of a package become graphs: traced without weights, written as ONNX, read as canonical graphs.

In: names and image sizes. Out: ONNX files, and one canonical graphs table. May import core and onnx.
"""
