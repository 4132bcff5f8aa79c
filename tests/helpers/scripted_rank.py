"""A rank that carries out a script in place of a training, to fail as no real one does at will.

The order's arguments hold the script of each rank. In it `tell(message)` sends one to the launcher.
"""

from __future__ import annotations

import os
import sys
import threading
from multiprocessing.connection import Connection

from experiments_adapters.yolo.ranks.rank import end_with_starter

if __name__ == "__main__":
    threading.Thread(target=end_with_starter, daemon=True).start()
    connection: Connection = Connection(int(sys.argv[1]))
    order, loads_in_process = connection.recv()
    exec(order.arguments[os.environ["RANK"]], {"tell": connection.send, "ask": connection.recv})
