;;; emacs -Q --batch -l emacs.el FILE  -*- lexical-binding: t -*-
;; Opens FILE under eglot, waits for findings, reads the hover, changes a setting, repairs the finding by its quick fix,
;; takes a body from the completion list. Each step is a line in $REPORT.
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
    (let ((inhibit-message t))
      (append-to-file (point-min) (point-max) (getenv "REPORT")))))

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
(wait-for 240 (lambda () (flymake-diagnostics)))
(report `((version . ,emacs-version) (findings . ,(findings))))
(unless (flymake-diagnostics) (kill-emacs 1))
(goto-char (flymake-diagnostic-beg (car (flymake-diagnostics))))

(let (text)
  (eglot-hover-eldoc-function (lambda (shown &rest _) (setq text shown)))
  (wait-for 240 (lambda () text))
  (report `((hover . ,(and text (substring-no-properties text))))))

(defun configure (settings)
  (setq-default eglot-workspace-configuration `((codehunch . ,settings)))
  (eglot-signal-didChangeConfiguration (eglot-current-server)))
(configure '((diagnostics . :json-false)))
(wait-for 240 (lambda () (not (flymake-diagnostics))))
(report `((off . ,(findings))))
(configure '((generationSeconds . 60)))
(wait-for 240 (lambda () (flymake-diagnostics)))
(report `((on . ,(findings))))

;; The other quick fixes silence the rule.
(defun choose (_prompt table &rest _)
  (car (seq-remove (lambda (title) (string-match-p "^Ignore\\| defect" title)) (all-completions "" table))))
(let ((found (car (flymake-diagnostics)))
      (last-nonmenu-event ?x)
      (eglot-confirm-server-edits nil)
      (completing-read-function #'choose))
  (eglot-code-actions (flymake-diagnostic-beg found) (flymake-diagnostic-end found) "quickfix" t))
(wait-for 240 #'buffer-modified-p)
(eglot--signal-textDocument/didChange)
(wait-for 240 (lambda () (flymake-start) (not (flymake-diagnostics))))
(report `((after . ,(findings)) (mended . ,(buffer-string))))

(erase-buffer)
(insert (getenv "DESCRIBED"))
(eglot--signal-textDocument/didChange)
(goto-char (point-max))
(completion-at-point)
(report `((described . ,(buffer-string))))
(set-buffer-modified-p nil)
(eglot-shutdown (eglot-current-server))
(kill-emacs 0)
