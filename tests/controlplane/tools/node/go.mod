module controlplane.test/node

go 1.26.0
