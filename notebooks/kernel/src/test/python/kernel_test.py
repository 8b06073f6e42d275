"""Talks to the notebooks' kernel as a notebook does, through jupyter_client: see notebooks/check."""

import base64
import queue
import sys
import time

from jupyter_client.manager import start_new_kernel

LONG = 120  # seconds, on a machine with other things to do
SESSION = """
import org.apache.spark.sql.*;
SparkSession spark = SparkSession.builder().master("local[2]").config("spark.ui.enabled", "false").getOrCreate();
"""


def check(condition, message):
    if not condition:
        sys.exit(f"kernel_test: {message}")


def reply(client, asked):
    while True:
        message = client.get_shell_msg(timeout=LONG)
        if message["parent_header"].get("msg_id") == asked:
            return message["content"]


class Cell:
    """What came of a cell."""

    def __init__(self, client, source, on_message=None):
        self.updates, self.displays, self.streams = [], [], {"stdout": "", "stderr": ""}
        self.result, self.error = None, None
        asked = client.execute(source)
        end = time.time() + LONG
        while True:
            check(time.time() < end, f"no end of: {source}")
            try:
                message = client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            kind, content = message["header"]["msg_type"], message["content"]
            if message["parent_header"].get("msg_id") != asked:
                continue
            if kind == "status" and content["execution_state"] == "idle":
                break
            if kind == "execute_result":
                self.result = content["data"]
            elif kind == "display_data":
                self.displays.append(content["data"])
            elif kind == "update_display_data":
                self.updates.append(content["data"])
            elif kind == "stream":
                self.streams[content["name"]] += content["text"]
            elif kind == "error":
                self.error = content
            if on_message:
                on_message(kind, content)
        self.status = reply(client, asked)["status"]


def main():
    manager, client = start_new_kernel(kernel_name="medley", startup_timeout=LONG)
    try:
        values(client)
        errors(client)
        shows(client)
        spark(client)
        interrupts(manager, client)
        completes(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=False)
    check(not manager.is_alive(), "kernel lives on after a shutdown")
    print("kernel_test: fine")


def values(client):
    cell = Cell(client, 'int a = 6;\nSystem.out.println("to stdout");\n7 * a')
    check(cell.result == {"text/plain": "42"}, f"value: {cell.result}")
    check(cell.streams == {"stdout": "to stdout\n", "stderr": ""}, f"streams: {cell.streams}")
    check(Cell(client, "a = 7;").result is None, "an assignment has a value")


def errors(client):
    cell = Cell(client, "int fine = 1;\nint wrong = missing;")
    check(cell.status == "error" and cell.error["ename"] == "CompileError", f"{cell.error}")
    check(cell.error["evalue"].endswith(", line 2: cannot find symbol"), f"{cell.error}")
    cell = Cell(client, 'Object never = null;\nnever.toString()')
    check(cell.error["ename"] == "Uncaught", f"{cell.error}")
    check("NullPointerException" in cell.error["traceback"][0], f"{cell.error}")
    check(cell.error["traceback"][1].endswith(", line 2"), f"{cell.error}")
    check(len(cell.error["traceback"]) == 2, f"frames that are not the cell's: {cell.error}")


def shows(client):
    cell = Cell(client, 'display(html("<i>one</i>"));\n'
                        'display(svg("<svg xmlns=\\"http://www.w3.org/2000/svg\\"/>"));\n'
                        'new java.awt.image.BufferedImage(2, 3, 1)')
    check(cell.displays[0]["text/html"] == "<i>one</i>", f"html: {cell.displays}")
    check(cell.displays[1]["image/svg+xml"].startswith("<svg"), f"svg: {cell.displays}")
    image = base64.b64decode(cell.result["image/png"])
    check(image.startswith(b"\x89PNG"), f"image: {cell.result}")


def spark(client):
    check(Cell(client, SESSION).status == "ok", "no session")
    cell = Cell(client, 'spark.udf().register("twice", (Integer n) -> 2 * n, org.apache.spark.sql.types.DataTypes.IntegerType);\n'
                        'spark.range(3).selectExpr("id", "twice(int(id)) as two")')
    check("<td style=\"text-align:right\">4</td>" in cell.result["text/html"], f"table: {cell.result}")
    check(cell.result["text/plain"] == "id  two\n0   0\n1   2\n2   4", f"table: {cell.result}")
    check(cell.streams["stderr"] == "", f"stderr: {cell.streams}")
    cell = Cell(client, 'spark.range(1).selectExpr("raise_error(\'told so\')")')
    check(cell.status == "error" and any("told so" in line for line in cell.error["traceback"]), f"{cell.error}")
    check(not any(line.strip().startswith("at ") for line in cell.error["traceback"]), f"{cell.error}")
    slow = ('spark.udf().register("slow", (Long n) -> { Thread.sleep(30); return n; }, '
            'org.apache.spark.sql.types.DataTypes.LongType);\n'
            'spark.range(0, 400, 1, 8).selectExpr("sum(slow(id)) as s").first().getLong(0)')
    cell = Cell(client, slow)
    check(cell.result == {"text/plain": "79800"}, f"sum: {cell.result}")
    check(" of 8 tasks, 1 job running, " in cell.displays[0]["text/plain"], f"progress: {cell.displays}")
    check(cell.updates and cell.updates[-1] == {}, f"progress is not gone: {cell.updates}")


def interrupts(manager, client):
    stream = Cell(client, 'var beside = spark.readStream().format("rate").load().repartition(4).selectExpr("slow(value)")\n'
                          '    .writeStream().format("noop").start();')
    check(stream.status == "ok", f"stream: {stream.error}")
    for name, source, sign in [
        ("a Spark job", 'spark.range(0, 4000000, 1, 4).selectExpr("sum(slow(id))").first()', "display_data"),
        ("a Dataset's table", 'spark.range(0, 4000000, 1, 4).selectExpr("sum(slow(id)) as s")', "display_data"),
        ("a loop", 'System.out.println("in");\nwhile (true) { }', "stream"),
    ]:
        asked = []

        def interrupt(kind, content):
            if kind == sign and not asked:
                asked.append(time.time())
                manager.interrupt_kernel()

        cell = Cell(client, source, interrupt)
        check(cell.status == "error" and cell.error["ename"] == "Interrupted", f"{name}: {cell.error}")
        check(time.time() - asked[0] < 60, f"{name} took {time.time() - asked[0]} s to end")
        check(Cell(client, "a").result == {"text/plain": "7"}, f"after {name} the kernel has forgotten")
    cell = Cell(client, "long batches = beside.lastProgress() == null ? -1 : beside.lastProgress().batchId();\n"
                        "for (int i = 0; i < 600 && beside.isActive() && (beside.lastProgress() == null\n"
                        "    || beside.lastProgress().batchId() <= batches); i++) { Thread.sleep(100); }\n"
                        "beside.isActive() && beside.lastProgress().batchId() > batches")
    check(cell.result == {"text/plain": "true"}, f"a stream does not go on beside interrupts: {cell.result} {cell.error}")
    check(Cell(client, "beside.stop();").status == "ok", "the stream does not stop")
    check(Cell(client, "spark.range(5).count()").result == {"text/plain": "5"}, "Spark is gone")


def completes(client):
    found = reply(client, client.complete("int b = 1;\nspark.ran"))
    check("range(" in found["matches"], f"{found}")


main()
