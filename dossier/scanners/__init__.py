"""Network scanners by eSCL (AirScan, Mopria): what lies in the feeder becomes files in a folder.

values        capabilities, status and settings of a scanner, without any network
capabilities  reads ScannerCapabilities     status   reads ScannerStatus, says what is wrong
tickets       chooses ScanSettings that the scanner can do, and writes them
xmltext       the only door to a scanner's XML: bounded, no DTD
address       which addresses may be asked       exchange  one bounded question and its answer
escl          the client: capabilities, status, jobs, their documents, cancelling
capture       page after page into a folder; what was scanned is never lost
folder        the folder's files, log and lock
"""
