// Package suite pins Kubernetes' own end-to-end tests, so that `go test -c` builds them.
package suite

import _ "k8s.io/kubernetes/test/e2e"
