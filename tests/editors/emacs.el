;;; emacs -Q --batch -l emacs.el FILE  -*- lexical-binding: t -*-
;; Opens FILE under eglot, waits for findings, repairs the first by hand, asks for completion items. Each step is a
;; line in $REPORT.
;; With -Q the folders of Debian's packages are not on the path; Emacs 29 and newer bring eglot along.
(unless (locate-library "eglot")
  (dolist (folder (append (file-expand-wildcards "/usr/share/emacs/site-lisp/elpa/*")
                          (file-expand-wildcards "/usr/share/emacs/site-lisp/elpa-src/*")))
    (add-to-list 'load-path folder)))
(setq make-backup-files nil create-lockfiles nil auto-save-default nil
      eglot-sync-connect 60 eglot-connect-timeout 60 eglot-send-changes-idle-time 0.05)
(require 'eglot)
(require 'flymake)
(require 'json)

(defun report (row)
  (with-temp-buffer
    (insert (json-encode row) "\n")
    (append-to-file (point-min) (point-max) (getenv "REPORT"))))

(defun wait-for (seconds condition)
  (let ((end (+ (float-time) seconds)))
    (while (and (not (funcall condition)) (< (float-time) end))
      (accept-process-output nil 0.1))))

(defun findings ()
  (vconcat (mapcar (lambda (each)
                     (save-excursion
                       (goto-char (flymake-diagnostic-beg each))
                       `((line . ,(1- (line-number-at-pos)))
                         (column . ,(current-column))
                         (text . ,(buffer-substring-no-properties (flymake-diagnostic-beg each)
                                                                  (flymake-diagnostic-end each)))
                         (message . ,(flymake-diagnostic-text each)))))
                   (flymake-diagnostics))))

(add-to-list 'eglot-server-programs `(python-mode . (,(getenv "CODEHUNCH") "serve" "--stdio")))
(setq-default eglot-workspace-configuration '((codehunch . ((generationSeconds . 60)))))
(let ((file (pop command-line-args-left)))
  (find-file file))
(apply #'eglot (eglot--guess-contact))
(flymake-mode 1)
;; In batch nothing is idle, so what eglot and flymake do when idle is asked for here.
(flymake-start)
(wait-for 60 (lambda () (flymake-diagnostics)))
(report `((findings . ,(findings))))
(let ((found (car (flymake-diagnostics))))
  (unless found (kill-emacs 1))
  (goto-char (flymake-diagnostic-beg found))
  (delete-region (flymake-diagnostic-beg found) (flymake-diagnostic-end found))
  (insert (getenv "RIGHT")))
(eglot--signal-textDocument/didChange)
(wait-for 60 (lambda () (flymake-start) (not (flymake-diagnostics))))
(report `((after . ,(findings)) (mended . ,(buffer-string))))
(erase-buffer)
(insert (getenv "DESCRIBED"))
(eglot--signal-textDocument/didChange)
(goto-char (point-max))
(report `((described . ,(jsonrpc-request (eglot-current-server) :textDocument/completion
                                         (append (eglot--TextDocumentPositionParams) '(:context (:triggerKind 1)))
                                         :timeout 60))))
(set-buffer-modified-p nil)
(eglot-shutdown (eglot-current-server))
(kill-emacs 0)
