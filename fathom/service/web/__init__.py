"""What goes over the wire: addresses, requests and answers in each of their forms, who may ask, and the processes that answer."""
