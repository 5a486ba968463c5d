// Command kube is all of Kubernetes' binaries in one: it looks at the name it was started by.
//
// The seven commands share nearly all of their code, so linking them once makes a node image less
// than half as large and a cold build much shorter. Nothing else differs from the separate binaries.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	_ "time/tzdata" // CronJobs name time zones, and the node image has no zone database

	"github.com/spf13/cobra"

	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubeadm "k8s.io/kubernetes/cmd/kubeadm/app"
	kubeadmutil "k8s.io/kubernetes/cmd/kubeadm/app/util/errors"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// daemons are the commands that follow the components' common conventions.
var daemons = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": manager.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kube-proxy":              proxy.NewProxyCommand,
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
}

func main() {
	name := filepath.Base(os.Args[0])
	if name == "kube" && len(os.Args) > 1 {
		// `kube kubelet …` does the same as `kubelet …`, where links are unwelcome.
		name = os.Args[1]
		os.Args = os.Args[1:]
	}
	switch name {
	case "crictl":
		if err := crictl(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "crictl:", err)
			os.Exit(1)
		}
	case "kubeadm":
		kubeadmutil.HandleError(kubeadm.Run())
	case "kubectl":
		// The verbosity has to be known while the command is being put together.
		logs.GlogSetter(kubectl.GetLogVerbosity(os.Args)) //nolint:errcheck // as upstream
		if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
			kubectlutil.CheckErr(err)
		}
	default:
		build, known := daemons[name]
		if !known {
			fmt.Fprintf(os.Stderr, "kube: %q is none of: kubeadm, kubectl, crictl, %s\n", name, strings.Join(names(), ", "))
			os.Exit(2)
		}
		os.Exit(cli.Run(build()))
	}
}

func names() []string {
	list := make([]string, 0, len(daemons))
	for name := range daemons {
		list = append(list, name)
	}
	return list
}
